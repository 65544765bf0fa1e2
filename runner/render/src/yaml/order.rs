//! The order go-yaml writes map keys in: text as a person would sort it,
//! numbers inside it by value. It knows nothing of the values.

use std::cmp::Ordering;

use super::scalar::Dialect;

/// Sorts keys the way the encoder of a dialect does.
pub(crate) fn sort_keys<T>(pairs: &mut [(String, T)], dialect: Dialect) {
    pairs.sort_by(|(a, _), (b, _)| compare(a, b, dialect));
}

/// Compares two keys; a total order on distinct texts.
pub(crate) fn compare(a: &str, b: &str, dialect: Dialect) -> Ordering {
    if a == b {
        return Ordering::Equal;
    }
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if less(&a, &b, dialect) { Ordering::Less } else { Ordering::Greater }
}

fn less(a: &[char], b: &[char], dialect: Dialect) -> bool {
    let mut digits = false;
    for i in 0..a.len().min(b.len()) {
        if a[i] == b[i] {
            digits = a[i].is_ascii_digit();
            continue;
        }
        let (a_letter, b_letter) = (a[i].is_alphabetic(), b[i].is_alphabetic());
        if a_letter && b_letter {
            return a[i] < b[i];
        }
        if a_letter || b_letter {
            return if digits && dialect == Dialect::V4 { a_letter } else { b_letter };
        }
        let (mut a_number, mut b_number) = (0i64, 0i64);
        if a[i] == '0' || b[i] == '0' {
            // Leading zeros do not count, zeros inside a number do.
            let inside = a[..i].iter().rev().take_while(|c| c.is_ascii_digit()).any(|c| *c != '0');
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
        return a[i] < b[i];
    }
    a.len() < b.len()
}

fn number(text: &[char], from: usize, value: &mut i64) -> usize {
    let mut at = from;
    while at < text.len() && text[at].is_ascii_digit() {
        let digit = i64::from(text[at] as u32) - i64::from('0' as u32);
        *value = value.wrapping_mul(10).wrapping_add(digit);
        at += 1;
    }
    at
}
