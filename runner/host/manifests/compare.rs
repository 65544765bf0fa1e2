//! Two lists of objects, compared by what they are: order, comments and spelling do not count. Says field by field what differs, and shows no
//! Secret's values.

use ops_core::value::{Value, side_by_side};
use serde_json::json;

use super::Object;
use super::ignore::Rules;

/// Fields told of one object; a person needs no more to see that it is stale.
const FIELDS: usize = 12;
/// Characters told of one value.
const LONGEST: usize = 60;

/// Every object that is not the same in both, in the order of the first list, then of the second.
pub(super) fn objects(own: &[Object], wanted: &[Object], rules: &Rules) -> Vec<Value> {
    let pair = |object: &Object, others: &[Object]| {
        others.iter().find(|other| other.identity() == object.identity()).cloned()
    };
    let mut found = Vec::new();
    for object in own {
        let Some(other) = pair(object, wanted) else {
            found.push(json!({"object": object.shown(), "how": "extra", "fields": []}));
            continue;
        };
        let (before, after) = (rules.without(object), rules.without(&other));
        if before == after {
            continue;
        }
        let mut fields = Vec::new();
        let hidden = !object.secret_keys().is_empty() || !other.secret_keys().is_empty();
        differences("", &before, &after, hidden, &mut fields);
        if fields.len() > FIELDS {
            let more = fields.len() - FIELDS;
            fields.truncate(FIELDS);
            fields.push(format!("… and {more} more"));
        }
        found.push(json!({"object": object.shown(), "how": "differs", "fields": fields}));
    }
    let missing = wanted.iter().filter(|object| pair(object, own).is_none());
    found.extend(missing.map(|o| json!({"object": o.shown(), "how": "missing", "fields": []})));
    found
}

fn differences(path: &str, before: &Value, after: &Value, hidden: bool, found: &mut Vec<String>) {
    match (before, after) {
        (Value::Object(a), Value::Object(b)) => {
            for (key, a, b) in side_by_side(a, b) {
                let below = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                if let (Some(a), Some(b)) = (a, b) {
                    differences(&below, a, b, hidden, found);
                } else {
                    tell(&below, a, b, hidden, found);
                }
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (index, (a, b)) in a.iter().zip(b).enumerate() {
                differences(&format!("{path}[{index}]"), a, b, hidden, found);
            }
        }
        (a, b) if a == b => {}
        (a, b) => tell(path, Some(a), Some(b), hidden, found),
    }
}

fn tell(
    path: &str,
    before: Option<&Value>,
    after: Option<&Value>,
    hidden: bool,
    found: &mut Vec<String>,
) {
    let word = |value: Option<&Value>| value.map_or_else(|| "(none)".to_owned(), shown);
    found.push(if hidden {
        format!("{path}: (a Secret's values are not shown)")
    } else {
        format!("{path}: {} → {}", word(before), word(after))
    });
}

fn shown(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.replace('\n', "\\n"),
        Value::Array(items) => format!("({} entries)", items.len()),
        Value::Object(map) => format!("({} fields)", map.len()),
        other => other.to_string(),
    };
    match text.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(kind: &str, name: &str, rest: &Value) -> Object {
        let mut value = json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name}});
        if let (Some(map), Some(rest)) = (value.as_object_mut(), rest.as_object()) {
            map.extend(rest.clone());
        }
        Object(value)
    }

    fn compared(own: &[Object], wanted: &[Object]) -> Vec<String> {
        let line = |row: &Value| {
            let fields: Vec<&str> =
                row["fields"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
            format!("{} {} {}", row["object"], row["how"], fields.join("; ")).replace('"', "")
        };
        objects(own, wanted, &Rules::default()).iter().map(line).collect()
    }

    #[test]
    fn order_does_not_count() {
        let (a, b) = (object("A", "x", &json!({})), object("B", "x", &json!({})));
        assert_eq!(compared(&[a.clone(), b.clone()], &[b, a]), Vec::<String>::new());
    }

    #[test]
    fn what_differs_is_told_field_by_field() {
        let own = [
            object(
                "A",
                "x",
                &json!({"spec": {"image": "a:1", "args": ["-v", "x"], "gone": {"k": 1}}}),
            ),
            object("B", "only-here", &json!({})),
        ];
        let wanted = [
            object(
                "A",
                "x",
                &json!({"spec": {"image": "a:2", "args": ["-v", "y"], "come": [1, 2]}}),
            ),
            object("C", "only-there", &json!({})),
        ];
        let told = [
            "A x differs spec.args[1]: x → y; spec.come: (none) → (2 entries); spec.gone: (1 fields) → (none); spec.image: a:1 → a:2",
            "B only-here extra ",
            "C only-there missing ",
        ];
        assert_eq!(compared(&own, &wanted), told);
    }

    #[test]
    fn a_long_list_of_fields_and_a_long_value_are_cut() {
        let many = |start: usize| -> Value {
            (0..20)
                .map(|i| (format!("f{i:02}"), json!((start + i).to_string().repeat(80))))
                .collect::<serde_json::Map<_, _>>()
                .into()
        };
        let told = compared(&[object("A", "x", &many(0))], &[object("A", "x", &many(1))]);
        assert!(told[0].ends_with("… and 8 more"), "{told:?}");
        assert!(told[0].len() < 2_500, "{}", told[0].len());
    }

    #[test]
    fn the_values_of_a_secret_are_not_shown() {
        let secret =
            |value: &str| object("Secret", "s", &json!({"stringData": {"password": value}}));
        let told = compared(&[secret("canary-1")], &[secret("canary-2")]);
        assert_eq!(
            told,
            ["Secret s differs stringData.password: (a Secret's values are not shown)"]
        );
    }
}
