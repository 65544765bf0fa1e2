//! What errors look like.

use super::*;
use insta::assert_snapshot;

fn place(column: u32, length: u32, text: &str) -> Place {
    let file = "recipes/cluster/safe-reset.lua".into();
    Place { file, line: 14, column, length, text: Some(text.into()) }
}

fn shown(fault: &Fault) -> String {
    render(fault, Look::PLAIN)
}

#[test]
fn a_mistake_in_a_recipe_is_marked_in_its_line() {
    let line = "    talos.reset { node, system_labels_to_wipe = p.partition, graceful = true }";
    let fault = Fault::new(Code::CALL_FIELD, "unknown parameter `partition`")
        .at(place(49, 11, line))
        .label("parameters: nodes, partitions")
        .help("did you mean `p.partitions`?");
    assert_snapshot!(shown(&fault), @r#"
    error  OPS0112  unknown parameter `partition`
      recipes/cluster/safe-reset.lua:14:49
      14 │     talos.reset { node, system_labels_to_wipe = p.partition, graceful = …
         │                                                 ─────┬─────
         │                                             parameters: nodes, partitions
      help: did you mean `p.partitions`?
    "#);
}

#[test]
fn without_a_label_the_place_is_underlined() {
    let fault = Fault::new(Code::CONFIG_KEY, "unknown key `jbs`").at(place(1, 3, "jbs = 8"));
    assert_snapshot!(shown(&fault), @r#"
    error  OPS0202  unknown key `jbs`
      recipes/cluster/safe-reset.lua:14:1
      14 │ jbs = 8
         │ ───
    "#);
}

#[test]
fn a_refusal_says_what_why_and_the_way_out() {
    let fault = Fault::new(Code::GUARD_PARTITIONS, "partitions")
        .detail("cluster:safe-reset would reset w-1 without saying which partitions.")
        .detail("w-1 has: STATE, EPHEMERAL")
        .next("ops run cluster:safe-reset --nodes w-1 --partitions STATE,EPHEMERAL")
        .next("ops show cluster:safe-reset");
    assert_snapshot!(shown(&fault), @r#"
    refused  OPS0301  partitions
      cluster:safe-reset would reset w-1 without saying which partitions.
      w-1 has: STATE, EPHEMERAL
      next:  ops run cluster:safe-reset --nodes w-1 --partitions STATE,EPHEMERAL
             ops show cluster:safe-reset
    "#);
}

#[test]
fn a_place_without_a_column_shows_its_line_alone() {
    let fault = Fault::new(Code::CONFIG_KEY, "the cluster has no control plane").at(place(
        0,
        0,
        "endpoint = \"https://10.20.30.10:6443\"",
    ));
    assert_snapshot!(shown(&fault), @r#"
    error  OPS0202  the cluster has no control plane
      recipes/cluster/safe-reset.lua:14
      14 │ endpoint = "https://10.20.30.10:6443"
    "#);
}

#[test]
fn a_long_line_is_shifted_until_the_mark_is_seen() {
    let line = format!("{}BAD {}", "x".repeat(120), "y".repeat(80));
    let fault = Fault::new(Code::LUA, "wrong").at(place(121, 3, &line)).label("here");
    assert_snapshot!(shown(&fault), @r#"
    error  OPS0115  wrong
      recipes/cluster/safe-reset.lua:14:121
      14 │ …xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxBAD…
         │                                                                      ─┬─
         │                                                                      here
    "#);
}

#[test]
fn tabs_and_wide_characters_do_not_move_the_mark() {
    let fault = Fault::new(Code::LUA, "wrong").at(place(5, 3, "\t日本 BAD"));
    assert_snapshot!(shown(&fault), @r#"
    error  OPS0115  wrong
      recipes/cluster/safe-reset.lua:14:5
      14 │     日本 BAD
         │          ───
    "#);
}

#[test]
fn text_from_outside_cannot_paint_the_screen() {
    let fault = Fault::new(Code::LUA, "a\u{1b}[31mb").at(place(1, 1, "\u{1b}]0;x"));
    assert!(!shown(&fault).contains('\u{1b}'));
}

#[test]
fn colour_adds_nothing_but_colour() {
    let fault = Fault::new(Code::CONFIG_KEY, "unknown key `jbs`")
        .at(place(1, 3, "jbs = 8"))
        .label("known: jobs");
    let look = Look { colour_err: true, ..Look::PLAIN };
    let coloured = render(&fault, look);
    assert!(coloured.contains('\u{1b}'));
    assert_eq!(strip(&coloured), shown(&fault));
}

fn strip(text: &str) -> String {
    let mut out = String::new();
    let mut escape = false;
    for c in text.chars() {
        match c {
            '\u{1b}' => escape = true,
            'm' if escape => escape = false,
            _ if escape => {}
            c => out.push(c),
        }
    }
    out
}
