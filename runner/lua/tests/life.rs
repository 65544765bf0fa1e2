//! A VM leaves nothing behind, however its body stands when it goes.

use std::rc::Rc;
use std::sync::Arc;

use ops_core::machine::Limits;

use super::{calls, recipe, spec};
use crate::lua::body::Body;
use crate::lua::catalog::index;
use crate::lua::compiled::Compiled;
use crate::lua::deadline::Deadline;
use crate::lua::entry::begin;
use crate::lua::vm::Vm;
use crate::recipe::source::Sources;

#[test]
fn a_vm_that_goes_takes_everything_with_it() {
    let bodies = [
        "return 1",
        "error('x')",
        "fs.read { 'waits' }",
        "cx:defer(function() fs.read { 'x' } end) cx:each({ 1, 2 }, { jobs = 2 }, function() fs.read { 'x' } end)",
        "cx:timeout('1m', function() cx:retry({}, function() fs.read { 'x' } end) end)",
        "local keep = {} keep.self = keep keep.cx = cx keep.f = function() return keep end cx:wait_until('x', function() fs.read { 'x' } end)",
        "cx:rolling(cx.cluster.nodes, function(node) pcall(function() talos.reboot { node } end) end)",
    ];
    for code in bodies {
        let sources = Arc::new(Sources::default().with("recipes/t.lua", &recipe(code)));
        let index = index(&sources, calls());
        let head = index.catalog.get("t").unwrap();
        let deadline = Arc::new(Deadline::new(Limits::default().turn));
        let body = Body::new(calls(), deadline, "7k2m");
        let left = Rc::downgrade(&body);
        let vm = Vm::new(sources.clone(), body, Limits::default().memory).unwrap();
        let done = begin(&vm, &sources, &Compiled::default(), head, &spec("t")).unwrap();
        vm.body.settle();
        drop((done, vm));
        assert!(left.upgrade().is_none(), "{code}");
    }
}
