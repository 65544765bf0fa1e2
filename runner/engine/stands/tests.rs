//! What stands of a journal: one behaviour each.

use super::*;

fn relate(path: &str, later: &str) -> Relation {
    relation(&Branch(path.to_owned()), &Branch(later.to_owned()))
}

#[test]
fn a_branch_does_one_thing_after_the_other() {
    for (path, later) in [
        ("r{0}/node[a]", "r{0}"),
        ("r{0}/node[a]/branch[x]", "r{0}/node[a]"),
        ("r{0}/node[a]", "r{0}/node#2[a]"),
        ("r{0}/node[a]", "r{0}/branch[x]/item[y]"),
        ("r{0}/node[a]", "r{0}/go-on-1"),
        ("r{0}/branch[x]", "r{0}/branch[y]"),
        ("r{0}/wait[x]", "r{0}/wait[y]/1"),
        ("r{0}/timeout", "r{0}/timeout#2"),
        ("r{0}/preconditions", "r{0}"),
        ("r{0}/retry[1]", "r{0}/retry[2]/item[x]"),
        ("r{0}/retry[9]/item[x]", "r{0}/retry[10]"),
        ("r{0}/retry[1]/item[x]", "r{0}/retry[1]/timer"),
        ("r{0}/defer[2]", "r{0}/defer[1]"),
        ("r{0}/defer[1]/branch[x]", "r{0}/defer[1]"),
        ("r{0}/defer[1]", "r{0}/on_failure"),
    ] {
        assert_eq!(relate(path, later), Relation::Behind, "{path} then {later}");
    }
}

#[test]
fn what_may_happen_without_going_on_proves_nothing() {
    for (path, later) in [
        ("r{0}/node[a]", "r{0}/node[b]"),
        ("r{0}/node[a]", "r{0}/node[b]/defer[1]"),
        ("r{0}/parallel[a]", "r{0}/parallel[b]/branch[x]"),
        ("r{0}/node[a]", "r{0}/defer[1]"),
        ("r{0}/node[a]", "r{0}/node[a]/defer[1]"),
        ("r{0}/node[a]", "r{0}/on_failure"),
        ("r{0}/node[a]/defer[1]", "r{0}/node[a]"),
        ("r{0}/node[a]/defer[1]", "r{0}/node[a]/branch[x]"),
        ("r{0}/retry[2]", "r{0}/retry[1]"),
        ("r{0}/retry#2[1]", "r{0}/retry#2[1]/defer[1]/timer"),
        ("r{0}/timeout/item[a]", "r{0}/timeout/timer"),
        ("r{0}/wait[x]/1", "r{0}/wait[x]/limit"),
        ("r{0}/node[a]", "s{0}"),
    ] {
        assert_eq!(relate(path, later), Relation::Beside, "{path} then {later}");
    }
}

#[test]
fn what_lies_in_a_branch_is_told_from_its_cleanups() {
    for (later, wanted) in [
        ("r{0}", Relation::Same),
        ("r{0}/branch[x]", Relation::Within),
        ("r{0}/branch[x]/defer[1]", Relation::Within),
        ("r{0}/defer[1]", Relation::Beside),
    ] {
        assert_eq!(relate("r{0}", later), wanted, "{later}");
    }
}

#[test]
fn only_limits_of_time_end_branches() {
    let limited = |path: &str| {
        let timer = CallId { path: Branch(path.to_owned()), seq: 1 };
        super::limited(&timer).map(|(by, arm)| (by.0, arm.0))
    };
    let both = |by: &str, arm: &str| Some((by.to_owned(), arm.to_owned()));
    assert_eq!(limited("r{0}/timeout#2/timer"), both("r{0}", "r{0}/timeout#2"));
    assert_eq!(limited("r{0}/wait[x y]/limit"), both("r{0}", "r{0}/wait[x y]"));
    for other in ["r{0}/retry[1]/timer", "r{0}/defer[1]/timer", "r{0}/wait[x]/1/timer", "r{0}"] {
        assert_eq!(limited(other), None, "{other}");
    }
}
