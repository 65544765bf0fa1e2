//! Every environment variable that `ops` reads, in one table, and the environment as frozen data. Nothing else reads variables.

use std::collections::BTreeMap;

/// A variable that `ops` reads, and what it does.
#[derive(Clone, Copy, Debug)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// What it is read for, in one line.
    pub meaning: &'static str,
}

macro_rules! variables {
    ($($name:ident, $meaning:literal;)*) => {
        $(#[doc = $meaning] pub const $name: Variable = Variable { name: stringify!($name), meaning: $meaning };)*
        /// Every variable that `ops` reads beside those that a recipe's parameters name.
        pub const ALL: &[Variable] = &[$($name),*];
    };
}

variables! {
    OPS_CLUSTER, "the cluster, where --cluster is not given";
    OPS_FAULT, "point:n, ends the process at that point (builds with debug assertions only)";
    NO_COLOR, "no colours, where --color is not given";
    CLICOLOR_FORCE, "colours although the output is no terminal";
    TERM, "dumb: no colours";
    COLUMNS, "width of the output, where it is no terminal";
    HOME, "base of the state folder, where XDG_STATE_HOME is not set";
    XDG_STATE_HOME, "base of the state folder: journals, grants, audit, locks";
    KUBECONFIG, "location of the kubeconfig, where the inventory names none and it lies in the repository";
    TALOSCONFIG, "location of the talosconfig, on the same terms";
    SOPS_AGE_KEY_FILE, "location of the age key that decrypts secrets";
    PATH, "where tools are looked up";
    USER, "who, in journals and audit";
    LOGNAME, "who, where USER is not set";
    CI, "set by build services: named in journals and audit";
}

/// The environment as it was when the process began. Later changes of it do not exist.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The environment of this process. Variables that are not UTF-8 are left out.
    pub fn of_process() -> Environment {
        let text = |s: std::ffi::OsString| s.into_string().ok();
        Environment(std::env::vars_os().filter_map(|(k, v)| Some((text(k)?, text(v)?))).collect())
    }

    /// An environment of these variables.
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Environment {
        Environment(pairs.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect())
    }

    /// The value of one of `ops`' own variables; an empty one counts as not set.
    pub fn get(&self, variable: Variable) -> Option<&str> {
        self.named(variable.name).filter(|value| !value.is_empty())
    }

    /// The value of any variable: for parameters that name one.
    pub fn named(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Every variable, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(k, v)| (k.as_str(), v.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_variable_of_ops_counts_as_not_set() {
        let env = Environment::from_pairs([("NO_COLOR", ""), ("OPS_CLUSTER", "home")]);
        assert_eq!(env.get(NO_COLOR), None);
        assert_eq!(env.get(OPS_CLUSTER), Some("home"));
        assert_eq!(env.named("NO_COLOR"), Some(""));
    }
}
