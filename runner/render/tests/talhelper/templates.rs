//! What templates print, function by function, as talhelper prints it: every
//! expression is an annotation of one node.

use std::fmt::Write as _;
use std::fs;

use ops_render::talconfig::Variables;

use crate::tools::{Compared, Tools};

const EXPRESSIONS: &[&str] = &[
    r#"regexMatch "^\\d+$" "12""#,
    r#"regexMatch "^\\d+$" "１２""#,
    r#"regexMatch "(" "a""#,
    r#"mustRegexMatch "\\bab\\b" "x ab y""#,
    r#"regexFind "[a-z]+" "12 ab cd""#,
    r#"regexFind "z" "ab""#,
    r#"regexFindAll "\\w" "a é_1" -1"#,
    r#"regexFindAll "[0-9]" "1 2 3" 2"#,
    r#"regexFindAll "a*" "baac" -1"#,
    r#"regexReplaceAll "a(x*)b" "-ab-axxb-" "${1}W""#,
    r#"regexReplaceAll "a(x*)b" "-ab-axxb-" "$1W""#,
    r#"regexReplaceAll "(?P<n>x+)" "axxb" "<${n}>""#,
    r#"regexReplaceAll "" "ab" "-""#,
    r#"regexReplaceAll "a*" "baac" "-""#,
    r#"regexReplaceAll ":.*$" "host:80" """#,
    r#"regexReplaceAllLiteral "a(x*)b" "-ab-axxb-" "${1}""#,
    r#"regexSplit "z+" "pizza" -1"#,
    r#"regexSplit "" "abc" -1"#,
    r#"regexSplit "a" "banana" 2"#,
    r#"regexSplit "a" "" -1"#,
    r#"regexSplit "a" "banana" -1 | join "|""#,
    r#"regexQuoteMeta "1.2*[a]-b^""#,
    r#"regexMatch "^[[:alpha:]_[-]+$" "a[-""#,
    r#"regexMatch "^[]a&&b]+$" "]&""#,
    r#"regexMatch "^\\Qa.b\\E$" "a.b""#,
    r#"regexReplaceAll "(?i)NODE" "node-Node" "n""#,
    r#"regexFind "\\pL+" "1é2""#,
    r#"regexFind "[\\s\\d]+" "a 1 b""#,
    r#"sha256sum "a""#,
    r#"sha512sum "a""#,
    r#"adler32sum "Wikipedia""#,
    r#"b64enc "a b" | b64dec"#,
    r#"b32enc "foobar" | lower"#,
    r#"b32enc "foob""#,
    r#"b32enc "" | quote"#,
    r#"abbrev 5 "hello world""#,
    r#"abbrev 3 "hello""#,
    r#"abbrev 11 "hello world""#,
    r#"initials "First  Try x""#,
    r#"swapcase "This Is a.Test""#,
    r#"dir "/a/b/c.yaml""#,
    r#"dir "a""#,
    r#"dir "/""#,
    r#"clean "/a/../b//./c/""#,
    r#"clean "../a/..""#,
    r#"clean """#,
    r#"(splitn "/" 2 "a/b/c")._1"#,
    r#"splitn "/" 2 "a/b/c""#,
    "mustSlice (list 1 2 3 4) 1 3",
    "slice (list 1 2 3) 1",
    "chunk 2 (list 1 2 3)",
    r#"pick (dict "a" 1 "b" 2) "a" "c""#,
    r#"omit (dict "a" 1 "b" 2) "a""#,
    r#"pluck "a" (dict "a" 1) (dict "b" 2) (dict "a" 3)"#,
    r#"dig "a" "b" "none" (dict "a" (dict "b" 5))"#,
    r#"dig "a" "c" "none" (dict "a" (dict "b" 5))"#,
    r#"trunc 3 "abcdef" | upper"#,
    r#"trunc -2 "abcdef""#,
    r#"nospace " a b ""#,
    r#"title "a b-c d_e""#,
    r#"quote "a\"b" 1"#,
    r#"squote "a" "b""#,
    r#"cat "a" 1 true"#,
    r#"until 3 | join ",""#,
    "add 1 2 3",
    "div 7 2",
    "mod 7 3",
    "max 1 5 3",
    r#"int "12""#,
    r#"atoi "1a""#,
    r#"printf "%03d|%-5s|%q|%5.1f|%x|%v" 7 "ab" "c" 1.25 255 true"#,
    r#"substr 1 3 "abcdef""#,
    r#"list 1 "a" true | toJson"#,
    r#"dict "a" 1 "b" (list 1 2) | toJson"#,
    "has 2 (list 1 2)",
    "without (list 1 2 3) 2",
    "uniq (list 1 2 1)",
    r#"compact (list 0 1 "" "a")"#,
    r#"sortAlpha (list "b" "a")"#,
    "reverse (list 1 2)",
    r#"keys (dict "a" 1) | first"#,
    r#"ternary "y" "n" false"#,
    r#"coalesce "" 0 "x""#,
    "kindOf (list 1)",
    r#"base "/a/b.c""#,
    r#"ext "/a/b.c""#,
    r#".MachineConfig.MachineInstall.InstallImage | regexReplaceAll "^([^/]+)/.*:(v[0-9.]+)$" "$1" | quote"#,
    r#".MachineConfig.MachineInstall.InstallImage | splitList ":" | last"#,
    r#"regexFind "v[0-9]+\\.[0-9]+" .MachineConfig.MachineInstall.InstallImage"#,
];

#[test]
fn templates_print_what_talhelper_prints() {
    let Some(mut tools) = Tools::find("templates") else { return };
    let mut text = "clusterName: demo\ntalosVersion: v1.11.0\nkubernetesVersion: v1.31.0\nendpoint: https://10.0.0.10:6443\nnodes:\n  - hostname: cp-1\n    ipAddress: 10.0.0.11\n    controlPlane: true\n    installDisk: /dev/sda\n    nodeAnnotations:\n".to_owned();
    for (at, expression) in EXPRESSIONS.iter().enumerate() {
        let expression = expression.replace('$', "$$").replace('\'', "''");
        writeln!(text, "      e{at}: '<{{{{ {expression} }}}}>'").unwrap();
    }
    let file = tools.folder.join("talconfig.yaml");
    fs::write(&file, &text).unwrap();
    let none = |_: &str| Err("no such file".to_owned());
    match tools.compare(&file, &text, &Variables::new(), &none) {
        Ok(Compared::Equal) => {}
        Ok(
            Compared::TalhelperRefuses(why)
            | Compared::BothRefuse(why)
            | Compared::UnknownKeys(why),
        )
        | Err(why) => panic!("{why}"),
    }
}
