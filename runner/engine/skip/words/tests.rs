//! What is found in scripts, as tables.

use super::*;

fn some(words: &[&str]) -> BTreeSet<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[test]
fn the_programs_of_a_script_are_found() {
    let rows: &[(&str, &[&str])] = &[
        ("jq . in > out", &["jq"]),
        ("a; b && c || d | e & f", &["a", "b", "c", "d", "e", "f"]),
        ("if a; then b; elif c; then d; else e; fi", &["a", "b", "c", "d", "e"]),
        ("while read x; do a $x; done < <(b c)", &["a", "b"]),
        ("x=1 Y=$(a b) c", &["a", "c"]),
        ("echo \"one $(a \"two $(b)\") three\" four", &["a", "b"]),
        ("echo `a b`; c", &["a", "c"]),
        ("(a; b) | { c; }", &["a", "b", "c"]),
        ("sudo -n env X=1 a b", &["a", "env", "sudo"]),
        ("timeout 10 a", &["a", "timeout"]),
        ("find . | xargs -n 1 a", &["a", "find", "xargs"]),
        ("exec a", &["a"]),
        ("cat <<EOF > out\ndon't run me\nEOF\na", &["a", "cat"]),
        ("cat <<-'END'; b\n\tx $(y)\n\tEND\na", &["a", "b", "cat"]),
        ("# b; c\na # d; e", &["a"]),
        ("a \\\n  b\nc", &["a", "c"]),
        ("'a' \"b\" ; \"c\" d", &["a", "c"]),
        ("2>err a >out b", &["a"]),
        ("$TOOL a; ./b; \"$c\" d", &[]),
        ("bash -c 'a b; c' d", &["a", "bash", "c"]),
        ("", &[]),
        ("echo 'open", &[]),
        ("echo $(", &[]),
        (")))", &[]),
        ("<<", &[]),
    ];
    for (script, programs) in rows {
        assert_eq!(of_script(script).programs, some(programs), "{script}");
    }
}

#[test]
fn the_scripts_of_a_script_are_found() {
    let rows: &[(&str, &[&str])] = &[
        ("./build.sh in > out", &["./build.sh"]),
        ("bash -eu build.sh in", &["build.sh"]),
        (". lib.sh; source more.sh arg", &["lib.sh", "more.sh"]),
        ("python3 -u gen.py x.py; python3.12 b.py", &["b.py", "gen.py"]),
        ("python3 -c 'print(1)' x; python3 -m http.server", &[]),
        ("bash -c './deep.sh'", &["./deep.sh"]),
        ("bash \"$X\"; source $HOME/x", &[]),
        ("cat in/a > out/b", &[]),
    ];
    for (script, scripts) in rows {
        assert_eq!(of_script(script).scripts, some(scripts), "{script}");
    }
    let argv = ["bash", "x.sh", "y.sh"].map(str::to_owned);
    assert_eq!(of_command(&argv).scripts, some(&["x.sh"]));
}

#[test]
fn the_variables_of_a_script_are_found() {
    let script = "echo $HOME ${CC:-gcc} $1 $? \"$MODE\" ${#LIST} '$x' $$ ${!ref}";
    assert_eq!(of_script(script).variables, some(&["CC", "HOME", "LIST", "MODE", "ref", "x"]));
    let rows: &[(&str, &[&str])] = &[
        ("[[ -v ONE ]] && test -v two", &["ONE", "two"]),
        ("printenv ONE TWO", &["ONE", "TWO"]),
        ("echo $((a + B * (c1 - 2))) d", &["B", "a", "c1"]),
        ("((i += STEP)); e", &["STEP", "i"]),
        ("echo MODE", &[]),
    ];
    for (script, variables) in rows {
        assert_eq!(of_script(script).variables, some(variables), "{script}");
    }
    assert_eq!(of_script("env | grep MODE_1 X no").capitals, some(&["MODE_1"]));
}

#[test]
fn programs_that_are_asked_for_are_found() {
    let script = "command -v a || type b; which -a c; hash d";
    assert_eq!(of_script(script).asked, some(&["a", "b", "c", "d"]));
}

proptest::proptest! {
    #[test]
    fn no_script_is_too_odd_to_be_read(script in "[ab$(){}'\"`\\\\;&|<>#\n -]{0,60}") {
        let _ = of_script(&script);
    }
}
