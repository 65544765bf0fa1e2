//! Shell lines and plain commands: processes of which nobody knows what they reach, unless the recipe says so.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize};

use super::fs::{Content, read_by_process, written_by_process};
use super::{CallSpec, Interrupt, Settled, Witness};
use crate::effect::{Effect, Scope, Subject};
use crate::value::Value;

/// Lines of a shell script: a text, or a list of lines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Script(pub String);

impl<'de> Deserialize<'de> for Script {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Script, D::Error> {
        let lines = match Value::deserialize(d)? {
            Value::String(text) => vec![text],
            Value::Array(lines) => lines
                .into_iter()
                .map(|line| match line {
                    Value::String(line) => Ok(line),
                    other => Err(serde::de::Error::custom(not_text(&other))),
                })
                .collect::<Result<_, _>>()?,
            other => return Err(serde::de::Error::custom(not_text(&other))),
        };
        if lines.iter().all(|line| line.trim().is_empty()) {
            return Err(serde::de::Error::custom("the script is empty"));
        }
        Ok(Script(lines.join("\n")))
    }
}

/// A program and its arguments. One word alone is a command without arguments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Words(pub Vec<String>);

impl<'de> Deserialize<'de> for Words {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Words, D::Error> {
        let words = match Value::deserialize(d)? {
            Value::Array(words) => words,
            one => vec![one],
        };
        let words: Vec<String> = words
            .into_iter()
            .map(|word| match word {
                Value::String(word) => Ok(word),
                Value::Number(number) => Ok(number.to_string()),
                other => Err(serde::de::Error::custom(not_text(&other))),
            })
            .collect::<Result<_, _>>()?;
        match words.first() {
            Some(program) if !program.is_empty() => Ok(Words(words)),
            _ => Err(serde::de::Error::custom("the command is empty")),
        }
    }
}

impl JsonSchema for Words {
    fn schema_name() -> Cow<'static, str> {
        "Words".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "array", "items": {"type": "string"}, "minItems": 1})
    }
}

/// A secret in the script would stand on the command line for everybody to read.
fn not_text(value: &Value) -> &'static str {
    match value.get("$secret").or_else(|| value.get("$blob")) {
        Some(_) => "a secret or blob cannot stand on a command line: give it by `env` or `stdin`",
        None => "expected a text or a list of texts",
    }
}

impl JsonSchema for Script {
    fn schema_name() -> Cow<'static, str> {
        "Script".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": ["string", "array"], "items": {"type": "string"}})
    }
}

/// What a process is said to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Declared {
    /// It changes nothing.
    Reads,
    /// It changes files of the repository only.
    Files,
    /// It may change anything that the shims let pass.
    #[default]
    Mutates,
}

/// What `sh` and `sh.exec` have in common.
macro_rules! process_call {
    ($(#[$doc:meta])* $name:ident, $(#[$subject_doc:meta])* $subject:ident: $ty:ty, |$call:ident| $about:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            $(#[$subject_doc])*
            pub $subject: $ty,
            /// Variables beside the scrubbed environment: text, a secret or a blob.
            #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
            pub env: BTreeMap<String, Content>,
            /// Working directory relative to the root.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub cwd: Option<String>,
            /// What it reads on stdin: text, a secret or a blob; nothing where absent.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub stdin: Option<Content>,
            /// Paths and patterns that it reads; anything where absent.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub reads: Option<Vec<String>>,
            /// Paths and patterns that it writes; anything where absent.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub writes: Option<Vec<String>>,
            /// What it does.
            #[serde(default)]
            pub effect: Declared,
            /// Exit codes that are a success; 0 where absent.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub ok: Option<Vec<i32>>,
        }

        impl CallSpec for $name {
            fn effect(&self) -> Effect {
                match self.effect {
                    Declared::Reads => Effect::Reads,
                    Declared::Files => Effect::Files,
                    Declared::Mutates => Effect::Mutates,
                }
            }
            fn scope(&self) -> Scope {
                // With declared sources it is a function of files, and may let a step be skipped.
                let known = self.effect != Declared::Mutates && self.reads.is_some();
                if known { Scope::Local } else { Scope::Process }
            }
            fn reads(&self) -> Vec<Subject> {
                read_by_process(self.reads.as_deref())
            }
            fn writes(&self) -> Vec<Subject> {
                match self.effect {
                    Declared::Reads => Vec::new(),
                    _ => written_by_process(self.writes.as_deref()),
                }
            }
            fn witness(&self) -> Witness {
                match self.effect {
                    Declared::Reads => Witness::Repeatable,
                    _ => Witness::None,
                }
            }
            fn settle(&self, _before: &Value, _now: &Value) -> Settled {
                Settled::Ask { question: format!("did `{}` run to its end?", self.about()) }
            }
            fn stable(&self) -> &'static [&'static str] {
                &["exit", "stdout"]
            }
            fn interrupt(&self) -> Interrupt {
                match self.effect {
                    Declared::Reads => Interrupt::Drop,
                    _ => Interrupt::Signal,
                }
            }
            fn about(&self) -> String {
                let $call = self;
                $about
            }
        }
    };
}

process_call! {
    /// `sh { script, … }`: lines of bash under `-euo pipefail`. Tools inside go through the shims, whatever `effect` says.
    Sh,
    /// The lines.
    script: Script,
    |call| call.script.0.trim().lines().next().unwrap_or_default().to_owned()
}

process_call! {
    /// `sh.exec { "git", "gc", … }`: one command without a shell.
    Exec,
    /// Program and arguments.
    argv: Words,
    |call| call.argv.0.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn sh(value: Value) -> Result<Sh, String> {
        serde_json::from_value(value).map_err(|e| e.to_string())
    }

    #[test]
    fn undeclared_it_mutates_and_touches_everything() {
        let call = sh(json!({"script": "make"})).unwrap();
        assert_eq!((call.effect(), call.scope()), (Effect::Mutates, Scope::Process));
        assert!(call.writes().contains(&Subject("made".into())));
        assert_eq!(call.witness(), Witness::None);
        assert_eq!(call.interrupt(), Interrupt::Signal);
    }

    #[test]
    fn declared_reads_write_nothing_and_may_be_made_again() {
        let call = sh(json!({"script": "ls", "effect": "reads", "reads": ["src/**"]})).unwrap();
        assert_eq!((call.effect(), call.scope()), (Effect::Reads, Scope::Local));
        assert_eq!((call.writes(), call.witness()), (Vec::new(), Witness::Repeatable));
        assert_eq!(call.reads(), [Subject("disk/src".into())]);
    }

    #[test]
    fn nobody_may_declare_that_a_shell_destroys() {
        assert!(sh(json!({"script": "x", "effect": "destroys"})).is_err());
    }

    #[test]
    fn a_list_is_its_lines() {
        assert_eq!(sh(json!({"script": ["a", "b"]})).unwrap().script.0, "a\nb");
    }

    #[test]
    fn a_command_is_a_word_or_several() {
        let argv = |argv: Value| {
            serde_json::from_value::<Exec>(json!({"argv": argv})).map(|exec| exec.argv.0)
        };
        assert_eq!(argv(json!("ls")).unwrap(), ["ls"]);
        assert_eq!(argv(json!(["git", "log", 3])).unwrap(), ["git", "log", "3"]);
        for wrong in [json!([]), json!(""), json!([true]), json!(["x", {"$secret": {}}])] {
            assert!(argv(wrong.clone()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_empty_script_is_refused() {
        for script in [json!(""), json!([]), json!(["", " "])] {
            assert!(sh(json!({"script": script})).is_err());
        }
    }

    #[test]
    fn a_secret_in_a_script_is_refused_with_the_way_out() {
        let secret = json!({"$secret": {"provider": "env", "reference": "T", "digest": "0"}});
        for script in [secret.clone(), json!(["echo", secret])] {
            let error = sh(json!({"script": script})).unwrap_err();
            assert!(error.contains("`env` or `stdin`"), "{error}");
        }
    }
}
