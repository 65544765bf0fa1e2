//! ArgoCD's `ignoreDifferences`, as files of the repository say them: which fields of which objects are left out of a comparison.
//!
//! JSON pointers, and the paths of jq that people write there: keys, `[]`, `[2]`, `select(.name == "x")`. `managedFieldsManagers` is about
//! objects in a cluster and means nothing for files. What is not understood is told, never taken for a match.

use ops_core::error::{CallError, ErrorKind};
use ops_core::value::Value;

use super::{Object, of};
use crate::host::HostCx;

/// Which fields are left out.
#[derive(Clone, Debug, Default)]
pub(super) struct Rules {
    rules: Vec<Rule>,
    not_understood: Vec<String>,
}

#[derive(Clone, Debug)]
struct Rule {
    group: String,
    kind: String,
    name: String,
    namespace: String,
    ways: Vec<Vec<Step>>,
}

/// One step to a field.
#[derive(Clone, Debug, PartialEq)]
enum Step {
    Key(String),
    /// An entry by its index from 0.
    Index(usize),
    /// Every entry.
    All,
    /// The entries whose field has this text.
    Where(String, String),
}

impl Rules {
    /// The rules of the Applications and ApplicationSets in these files, of those that deploy `source` where one is named.
    ///
    /// # Errors
    /// Files that cannot be read.
    pub(super) fn read(
        paths: &[String],
        source: Option<&str>,
        cx: &HostCx<'_>,
    ) -> Result<Rules, CallError> {
        let mut rules = Rules::default();
        for path in paths {
            let file = cx.file(path)?;
            // Most files of a repository say nothing of it; templates among them are no YAML at all.
            if !file.bytes.windows(KEY.len()).any(|window| window == KEY.as_bytes()) {
                continue;
            }
            match of(path, &file.bytes) {
                Ok(objects) => objects.iter().for_each(|object| rules.take(path, object, source)),
                Err(error) if error.kind == ErrorKind::Invalid => {
                    rules.not_understood.push(error.message);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(rules)
    }

    fn take(&mut self, path: &str, object: &Object, source: Option<&str>) {
        let spec = match (object.group(), object.kind()) {
            (GROUP, "Application") => object.0.get("spec"),
            (GROUP, "ApplicationSet") => object.0.pointer("/spec/template/spec"),
            _ => None,
        };
        let Some(spec) = spec.filter(|spec| source.is_none_or(|source| deploys(spec, source)))
        else {
            return;
        };
        for entry in spec.get(KEY).and_then(Value::as_array).into_iter().flatten() {
            let text = |key: &str| entry.get(key).and_then(Value::as_str).unwrap_or_default();
            let texts = |key: &str| {
                let list = entry.get(key).and_then(Value::as_array).into_iter().flatten();
                list.filter_map(|item| item.as_str().map(str::to_owned)).collect::<Vec<_>>()
            };
            let mut ways = Vec::new();
            let pointers = texts("jsonPointers");
            let expressions = texts("jqPathExpressions");
            let read = pointers.iter().map(|text| (text, pointer(text)));
            for (text, way) in read.chain(expressions.iter().map(|text| (text, expression(text)))) {
                match way {
                    Some(way) => ways.push(way),
                    None => self.not_understood.push(format!(
                        "{path}: {}: the path `{text}` is not understood",
                        object.shown()
                    )),
                }
            }
            self.rules.push(Rule {
                group: text("group").to_owned(),
                kind: text("kind").to_owned(),
                name: text("name").to_owned(),
                namespace: text("namespace").to_owned(),
                ways,
            });
        }
    }

    /// How many rules there are.
    pub(super) fn count(&self) -> usize {
        self.rules.len()
    }

    /// What could not be read, with its file.
    pub(super) fn not_understood(&self) -> &[String] {
        &self.not_understood
    }

    /// An object without the fields that are left out.
    pub(super) fn without(&self, object: &Object) -> Value {
        let mut value = object.0.clone();
        for rule in self.rules.iter().filter(|rule| rule.is_about(object)) {
            for way in &rule.ways {
                remove(&mut value, way);
            }
        }
        value
    }
}

const KEY: &str = "ignoreDifferences";
const GROUP: &str = "argoproj.io";

impl Rule {
    fn is_about(&self, object: &Object) -> bool {
        // As ArgoCD reads them: group and kind may be patterns, name and namespace count where they are given.
        let any = |pattern: &str, text: &str| wild(pattern, text);
        any(&self.group, object.group())
            && any(&self.kind, object.kind())
            && (self.name.is_empty() || self.name == object.name())
            && (self.namespace.is_empty() || self.namespace == object.namespace())
    }
}

/// Whether a text fits a pattern in which `*` is any text.
fn wild(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, rest)) => text.strip_prefix(start).is_some_and(|left| {
            let mut ends = left.char_indices().map(|(at, _)| at).chain([left.len()]);
            ends.any(|at| wild(rest, &left[at..]))
        }),
    }
}

/// Whether an Application's spec deploys a folder. One with a template in its path may deploy any.
fn deploys(spec: &Value, source: &str) -> bool {
    let sources = spec.get("sources").and_then(Value::as_array).into_iter().flatten();
    let plain = |path: &str| path.trim_start_matches("./").trim_end_matches('/').to_owned();
    spec.get("source")
        .into_iter()
        .chain(sources)
        .filter_map(|one| one.get("path")?.as_str())
        .any(|path| path.contains("{{") || plain(path) == plain(source))
}

/// A JSON pointer (RFC 6901).
fn pointer(text: &str) -> Option<Vec<Step>> {
    let parts = text.strip_prefix('/')?.split('/');
    let step = |part: &str| {
        let key = part.replace("~1", "/").replace("~0", "~");
        match key.parse() {
            Ok(index) => Step::Index(index),
            Err(_) => Step::Key(key),
        }
    };
    Some(parts.map(step).collect())
}

/// A path of jq: `.spec.containers[] | select(.name == "x") | .image`, in the forms that the head of this file names.
fn expression(text: &str) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    for part in text.split('|').map(str::trim) {
        if let Some(inner) = part.strip_prefix("select(").and_then(|rest| rest.strip_suffix(')')) {
            let (field, wanted) = inner.split_once("==")?;
            let field = field.trim().strip_prefix('.')?;
            let wanted = wanted.trim().strip_prefix('"')?.strip_suffix('"')?;
            if !is_word(field) || wanted.contains(['"', '\\']) || steps.pop() != Some(Step::All) {
                return None;
            }
            steps.push(Step::Where(field.to_owned(), wanted.to_owned()));
            continue;
        }
        let mut rest = part.strip_prefix('.')?;
        while !rest.is_empty() {
            let (step, tail) = one_step(rest)?;
            steps.extend(step);
            rest = match tail.strip_prefix('.') {
                Some("") => return None,
                Some(more) => more,
                None if tail.is_empty() || tail.starts_with('[') => tail,
                None => return None,
            };
        }
    }
    (!steps.is_empty()).then_some(steps)
}

/// The first step of a path, and what is left; `?` behind it changes nothing here.
fn one_step(text: &str) -> Option<(Option<Step>, &str)> {
    let quoted = |text: &'_ str| -> Option<(String, usize)> {
        let inner = text.strip_prefix('"')?;
        let end = inner.find('"')?;
        (!inner[..end].contains('\\')).then(|| (inner[..end].to_owned(), end + 2))
    };
    let (step, tail) = if let Some(inner) = text.strip_prefix('[') {
        let end = inner.find(']')?;
        let step = match &inner[..end] {
            "" => Step::All,
            key if key.starts_with('"') => match quoted(inner)? {
                (key, length) if length == end => Step::Key(key),
                _ => return None,
            },
            index => Step::Index(index.parse().ok()?),
        };
        (step, &inner[end + 1..])
    } else if text.starts_with('"') {
        let (key, length) = quoted(text)?;
        (Step::Key(key), &text[length..])
    } else {
        let end = text.find(['.', '[', '?']).unwrap_or(text.len());
        if !is_word(&text[..end]) {
            return None;
        }
        (Step::Key(text[..end].to_owned()), &text[end..])
    };
    Some((Some(step), tail.strip_prefix('?').unwrap_or(tail)))
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn remove(value: &mut Value, way: &[Step]) {
    let [step, rest @ ..] = way else { return };
    let last = rest.is_empty();
    match (step, value) {
        (Step::Key(key), Value::Object(map)) if last => {
            map.remove(key);
        }
        (Step::Key(key), Value::Object(map)) => {
            if let Some(inner) = map.get_mut(key) {
                remove(inner, rest);
            }
        }
        // A pointer's number may be a key as well.
        (Step::Index(index), Value::Object(map)) => {
            let key = index.to_string();
            if last {
                map.remove(&key);
            } else if let Some(inner) = map.get_mut(&key) {
                remove(inner, rest);
            }
        }
        (Step::Index(index), Value::Array(items)) => {
            if last && *index < items.len() {
                items.remove(*index);
            } else if let Some(inner) = items.get_mut(*index) {
                remove(inner, rest);
            }
        }
        (Step::All, Value::Array(items)) if last => items.clear(),
        (Step::All, Value::Array(items)) => items.iter_mut().for_each(|item| remove(item, rest)),
        (Step::All, Value::Object(map)) if last => map.clear(),
        (Step::All, Value::Object(map)) => map.values_mut().for_each(|item| remove(item, rest)),
        (Step::Where(field, wanted), Value::Array(items)) => {
            let is = |item: &Value| item.get(field).and_then(Value::as_str) == Some(wanted);
            if last {
                items.retain(|item| !is(item));
            } else {
                items.iter_mut().filter(|item| is(item)).for_each(|item| remove(item, rest));
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn rules(application: Value, source: Option<&str>) -> Rules {
        let mut rules = Rules::default();
        rules.take("apps/a.yaml", &Object(application), source);
        rules
    }

    fn application(ignore: &Value) -> Value {
        json!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": "a"},
            "spec": {"source": {"path": "apps/cilium"}, "ignoreDifferences": ignore},
        })
    }

    fn left(ignore: &Value, object: Value) -> Value {
        let rules = rules(application(ignore), None);
        assert_eq!(rules.not_understood(), Vec::<String>::new());
        rules.without(&Object(object))
    }

    #[test]
    fn a_pointer_leaves_out_its_field_of_its_kind_only() {
        let ignore = json!([{"kind": "Secret", "name": "ca", "jsonPointers": ["/data/tls.crt", "/metadata/annotations/a~1b"]}]);
        let secret = |name: &str| json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "annotations": {"a/b": "1"}}, "data": {"tls.crt": "x", "k": "y"}});
        assert_eq!(
            left(&ignore, secret("ca")),
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "ca", "annotations": {}}, "data": {"k": "y"}})
        );
        assert_eq!(left(&ignore, secret("other")), secret("other"));
    }

    #[test]
    fn a_path_of_jq_reaches_into_lists() {
        let object = json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"c": [
            {"name": "a", "image": "1", "env": [1]}, {"name": "b", "image": "1", "env": [2]}]}});
        let ignore =
            |path: &str| json!([{"group": "apps", "kind": "*", "jqPathExpressions": [path]}]);
        let spec = |path: &str| left(&ignore(path), object.clone())["spec"]["c"].clone();
        let names = |value: Value| json!([{"name": "a", "image": value, "env": [1]}, {"name": "b", "image": "1", "env": [2]}]);
        assert_eq!(
            spec(".spec.c[].image"),
            json!([{"name": "a", "env": [1]}, {"name": "b", "env": [2]}])
        );
        assert_eq!(
            spec(".spec.c[] | select(.name == \"b\")"),
            json!([{"name": "a", "image": "1", "env": [1]}])
        );
        assert_eq!(
            spec(".spec.c[] | select(.name == \"b\") | .image"),
            json!([{"name": "a", "image": "1", "env": [1]}, {"name": "b", "env": [2]}])
        );
        assert_eq!(spec(".spec.c[0]?.env[]")[0]["env"], json!([]));
        assert_eq!(spec(".spec[\"c\"][1].\"env\"")[1], json!({"name": "b", "image": "1"}));
        assert_eq!(spec(".spec.nothing[].x"), names(json!("1")));
    }

    #[test]
    fn a_path_that_is_not_understood_is_told_and_leaves_nothing_out() {
        for path in [
            ".spec | keys",
            "spec.x",
            ".",
            ".a..b",
            ".a[",
            ".a[x]",
            ".a[]|select(.b|test(\"x\"))",
            ".a.",
            ".a-b",
            "select(.a == \"b\")",
            "no-pointer",
        ] {
            let rules =
                rules(application(&json!([{"kind": "A", "jqPathExpressions": [path]}])), None);
            assert_eq!(rules.not_understood().len(), 1, "{path}");
            assert!(rules.not_understood()[0].contains("apps/a.yaml"), "{path}");
        }
        let rules = rules(application(&json!([{"kind": "A", "jsonPointers": ["x"]}])), None);
        assert_eq!(rules.not_understood().len(), 1);
    }

    #[test]
    fn only_applications_that_deploy_the_folder_count() {
        let ignore = json!([{"kind": "A", "jsonPointers": ["/x"]}]);
        let count = |object: Value, source: &str| rules(object, Some(source)).count();
        assert_eq!(count(application(&ignore), "./apps/cilium/"), 1);
        assert_eq!(count(application(&ignore), "apps/argocd"), 0);
        let mut several = application(&ignore);
        several["spec"]["sources"] = json!([{"chart": "x"}, {"path": "apps/argocd"}]);
        assert_eq!(count(several, "apps/argocd"), 1);
        let set = json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "ApplicationSet", "metadata": {"name": "s"},
            "spec": {"template": {"spec": {"source": {"path": "{{ .path.path }}"}, "ignoreDifferences": ignore.clone()}}}});
        assert_eq!(count(set, "apps/argocd"), 1);
        let other = json!({"apiVersion": "v1", "kind": "Application", "spec": {"ignoreDifferences": ignore}});
        assert_eq!(count(other, "apps/argocd"), 0);
    }

    #[test]
    fn group_and_kind_may_be_patterns() {
        for (pattern, text, fits) in [
            ("*", "", true),
            ("*", "x", true),
            ("a*c", "abc", true),
            ("a*c", "abd", false),
            ("", "x", false),
            ("*.cilium.io", "a.cilium.io", true),
            ("a", "a", true),
        ] {
            assert_eq!(wild(pattern, text), fits, "{pattern} {text}");
        }
    }
}
