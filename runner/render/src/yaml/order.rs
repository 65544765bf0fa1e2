//! The order go-yaml writes map keys in: text as a person would sort it,
//! numbers inside it by value. It knows nothing of the values.

use std::cmp::Ordering;

use super::scalar::Dialect;

/// Sorts keys the way the encoder of a dialect does.
pub(crate) fn sort_keys<K: AsRef<str>, T>(pairs: &mut [(K, T)], dialect: Dialect) {
    pairs.sort_by(|(a, _), (b, _)| compare(a.as_ref(), b.as_ref(), dialect));
}

/// Compares two keys; a total order on distinct texts.
pub(crate) fn compare(a: &str, b: &str, dialect: Dialect) -> Ordering {
    if a == b {
        return Ordering::Equal;
    }
    let is_less = if a.is_ascii() && b.is_ascii() {
        less(a.as_bytes(), b.as_bytes(), dialect)
    } else {
        let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
        less(&a, &b, dialect)
    };
    if is_less { Ordering::Less } else { Ordering::Greater }
}

fn less<C: Copy + Into<char>>(a: &[C], b: &[C], dialect: Dialect) -> bool {
    let mut digits = false;
    for i in 0..a.len().min(b.len()) {
        let (left, right): (char, char) = (a[i].into(), b[i].into());
        if left == right {
            digits = left.is_ascii_digit();
            continue;
        }
        let (a_letter, b_letter) = (left.is_alphabetic(), right.is_alphabetic());
        if a_letter && b_letter {
            return left < right;
        }
        if a_letter || b_letter {
            return if digits && dialect == Dialect::V4 { a_letter } else { b_letter };
        }
        let (mut a_number, mut b_number) = (0i64, 0i64);
        if left == '0' || right == '0' {
            // Leading zeros do not count, zeros inside a number do.
            let before = a[..i].iter().rev().map(|c| (*c).into());
            let inside = before.take_while(char::is_ascii_digit).any(|c| c != '0');
            if inside {
                (a_number, b_number) = (1, 1);
            }
        }
        let a_end = number(a, i, &mut a_number);
        let b_end = number(b, i, &mut b_number);
        if a_number != b_number {
            return a_number < b_number;
        }
        if a_end != b_end {
            return a_end < b_end;
        }
        return left < right;
    }
    a.len() < b.len()
}

fn number<C: Copy + Into<char>>(text: &[C], from: usize, value: &mut i64) -> usize {
    let mut at = from;
    while let Some(digit) = text.get(at).and_then(|c| (*c).into().to_digit(10)) {
        *value = value.wrapping_mul(10).wrapping_add(i64::from(digit));
        at += 1;
    }
    at
}
