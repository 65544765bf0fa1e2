//! What a child process gets, and how it ends.

use std::cell::RefCell;
use std::ffi::OsString;

use super::super::group::{Groups, LiveGroups};
use super::*;

fn processes(grace: Span) -> (tempfile::TempDir, Processes) {
    let dir = tempfile::tempdir().unwrap();
    let vars =
        [("PATH", "/usr/bin:/bin"), ("HOME", "/h"), ("KUBECONFIG", "/ambient"), ("LANG", "de")]
            .map(|(n, v)| (OsString::from(n), OsString::from(v)));
    let limits = ProcessLimits { grace, kept: 1 << 20 };
    let processes =
        Processes::new(dir.path().to_owned(), Environment::new(vars, None, None), limits);
    (dir, processes)
}

fn sh(script: &str) -> Argv {
    Argv::new("sh").args(["-c", script])
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// Runs a script with patience.
fn run(argv: &Argv) -> Result<ToolOutput, ToolFailure> {
    let (_dir, processes) = processes(Span::secs(10));
    block_on(processes.run(argv, None, &super::super::world::Unwatched))
}

fn stdout(argv: &Argv) -> String {
    run(argv).unwrap().text()
}

/// Counts what it sees, and interrupts once the child says `ready`.
#[derive(Default)]
struct Seen<'a> {
    processes: Option<&'a Processes>,
    interrupts: u32,
    group: Cell<i32>,
    started: Cell<u64>,
    bytes: Cell<usize>,
    largest: Cell<usize>,
    code: Cell<Option<i32>>,
    text: RefCell<Vec<u8>>,
}

impl Seen<'_> {
    /// Whether its group ends. The last signal may still be on its way, and nothing tells when it has arrived.
    fn gone(&self) -> bool {
        (0..10_000).any(|_| !LiveGroups.alive(self.group.get(), self.started.get()))
    }
}

impl Watcher for Seen<'_> {
    fn started(&self, group: i32, start: u64) {
        self.group.set(group);
        self.started.set(start);
    }
    fn output(&self, _: bool, bytes: &[u8]) {
        self.bytes.set(self.bytes.get() + bytes.len());
        self.largest.set(self.largest.get().max(bytes.len()));
        self.text.borrow_mut().extend(bytes.iter().take(100));
        if bytes.starts_with(b"ready") {
            let processes = self.processes.into_iter();
            processes.for_each(|p| {
                (0..self.interrupts).for_each(|_| p.interrupt(self.group.get(), false));
            });
        }
    }
    fn ended(&self, code: i32) {
        self.code.set(Some(code));
    }
}

#[test]
fn both_streams_and_the_exit_code_come_back() {
    let output = run(&sh("echo out; echo err >&2; exit 3")).unwrap();
    let expected = ToolOutput { code: 3, stdout: b"out\n".to_vec(), stderr: b"err\n".to_vec() };
    assert_eq!(output, expected);
}

#[test]
fn a_signal_shows_as_128_and_its_number() {
    assert_eq!(run(&sh("kill -9 $$")).unwrap().code, 137);
}

#[test]
fn nothing_ambient_reaches_the_child_but_its_own_variables_do() {
    let mut argv = sh("echo \"$HOME|$KUBECONFIG|$LANG|$LC_ALL|$PATH|$OWN\"");
    argv.env.push(("OWN".into(), "mine".into()));
    assert_eq!(stdout(&argv), "/h|||C|/usr/bin:/bin|mine\n");
}

#[test]
fn stdin_arrives_whole_and_is_empty_where_none_is_given() {
    let bytes = vec![b'x'; 300_000];
    assert_eq!(stdout(&Argv::new("wc").arg("-c").stdin(bytes)).trim(), "300000");
    assert_eq!(stdout(&Argv::new("wc").arg("-c")).trim(), "0");
}

#[test]
fn a_child_that_does_not_read_its_stdin_is_no_failure() {
    assert_eq!(run(&Argv::new("true").stdin(vec![b'x'; 300_000])).unwrap().code, 0);
}

#[test]
fn arguments_arrive_as_they_are() {
    let odd = ["a b", "$HOME", "*", "", "'\"", "--x=y z"];
    let argv = Argv::new("printf").arg("%s|").args(odd);
    assert_eq!(stdout(&argv), "a b|$HOME|*||'\"|--x=y z|");
}

#[test]
fn bytes_that_are_no_text_arrive_as_they_are() {
    assert_eq!(run(&sh(r"printf '\377\376\000x'")).unwrap().stdout, b"\xff\xfe\0x");
}

#[test]
fn the_working_directory_starts_at_the_root() {
    let (dir, processes) = processes(Span::secs(10));
    std::fs::create_dir(dir.path().join("sub")).unwrap();
    let mut argv = sh("pwd -P");
    argv.cwd = Some("sub".into());
    let output =
        block_on(processes.run(&argv, None, &super::super::world::Unwatched)).unwrap().text();
    assert_eq!(output.trim_end(), dir.path().canonicalize().unwrap().join("sub").to_str().unwrap());
}

#[test]
fn what_cannot_start_says_so() {
    assert_eq!(run(&Argv::new("no-such-tool")), Err(ToolFailure::Missing("no-such-tool".into())));
    let mut argv = sh("true");
    argv.cwd = Some("nowhere".into());
    assert!(
        matches!(run(&argv), Err(ToolFailure::Start { message, .. }) if message.contains("nowhere"))
    );
}

#[test]
fn the_watcher_learns_of_a_group_that_lives_while_it_runs() {
    struct Alive(Cell<Option<bool>>);
    impl Watcher for Alive {
        fn started(&self, group: i32, start: u64) {
            let other = LiveGroups.alive(group, start + 1);
            self.0.set(Some(start > 0 && LiveGroups.alive(group, start) && !other));
        }
    }
    let (_dir, processes) = processes(Span::secs(10));
    let seen = Alive(Cell::new(None));
    // `cat` waits for its stdin, so it lives while it is asked about.
    block_on(processes.run(&Argv::new("cat").stdin(vec![]), None, &seen)).unwrap();
    assert_eq!(seen.0.get(), Some(true));
}

#[test]
fn output_beyond_the_limit_streams_in_chunks_and_ends_as_too_large() {
    let (_dir, processes) = processes(Span::secs(10));
    let seen = Seen::default();
    let ended = block_on(processes.run(&sh("head -c 50000000 /dev/zero; exit 4"), None, &seen));
    assert_eq!(ended, Err(ToolFailure::TooLarge { tool: "sh".into(), limit: 1 << 20 }));
    assert_eq!((seen.bytes.get(), seen.code.get()), (50_000_000, Some(4)));
    assert!(seen.largest.get() <= 64 << 10, "{}", seen.largest.get());
}

#[test]
fn a_deadline_ends_the_whole_group() {
    let (_dir, processes) = processes(Span(50));
    let seen = Seen::default();
    let argv = sh("trap '' TERM; sleep 100 & sleep 100");
    let ended = block_on(processes.run(&argv, Some(Span(100)), &seen));
    assert_eq!(ended, Err(ToolFailure::Timeout { tool: "sh".into(), limit: Span(100) }));
    assert!(seen.gone());
    assert!(processes.running().is_empty());
}

#[test]
fn an_interrupt_reaches_every_process_of_the_group() {
    let (_dir, processes) = processes(Span::mins(5));
    let seen = Seen { processes: Some(&processes), interrupts: 1, ..Seen::default() };
    let ended = block_on(processes.run(&sh("echo ready; sleep 100; true"), None, &seen));
    assert_eq!(ended, Err(ToolFailure::Interrupted("sh".into())));
    assert!(seen.gone());
}

#[test]
fn who_ignores_the_interrupt_is_killed_after_the_grace() {
    let (_dir, processes) = processes(Span(50));
    let seen = Seen { processes: Some(&processes), interrupts: 1, ..Seen::default() };
    let argv = sh("trap '' TERM; (echo ready; sleep 100; true) & wait; wait");
    let ended = block_on(processes.run(&argv, None, &seen));
    assert_eq!(ended, Err(ToolFailure::Interrupted("sh".into())));
    assert_eq!(seen.code.get(), Some(137));
    assert!(seen.gone());
}

#[test]
fn a_second_interrupt_kills_at_once() {
    let (_dir, processes) = processes(Span::mins(5));
    let seen = Seen { processes: Some(&processes), interrupts: 2, ..Seen::default() };
    let argv = sh("trap '' TERM; echo ready; sleep 100; sleep 100");
    let ended = block_on(processes.run(&argv, None, &seen));
    assert_eq!(ended, Err(ToolFailure::Interrupted("sh".into())));
}

#[test]
fn one_that_finishes_its_work_on_an_interrupt_has_an_output() {
    let (_dir, processes) = processes(Span::mins(5));
    let seen = Seen { processes: Some(&processes), interrupts: 1, ..Seen::default() };
    let argv = sh("trap 'echo saved; exit 0' TERM; echo ready; while :; do sleep 0.01; done");
    let output = block_on(processes.run(&argv, None, &seen)).unwrap();
    assert_eq!((output.code, output.text().as_str()), (0, "ready\nsaved\n"));
}

#[test]
fn what_a_script_leaves_behind_with_its_output_is_ended_after_the_grace() {
    let (_dir, processes) = processes(Span(50));
    let seen = Seen::default();
    let output = block_on(processes.run(&sh("sleep 100 & echo done"), None, &seen)).unwrap();
    assert_eq!((output.code, output.text().as_str()), (0, "done\n"));
    assert!(seen.gone());
}

#[test]
fn a_dropped_run_leaves_no_process() {
    let (_dir, processes) = processes(Span::mins(5));
    let seen = Seen::default();
    block_on(async {
        let argv = sh("sleep 100");
        let mut running = Box::pin(processes.run(&argv, None, &seen));
        let first = std::future::poll_fn(|cx| std::task::Poll::Ready(running.as_mut().poll(cx)));
        assert!(first.await.is_pending());
        drop(running);
    });
    assert!(seen.group.get() > 1);
    assert!(seen.gone() && processes.running().is_empty());
}

#[test]
fn groups_that_cannot_be_a_childs_are_never_alive() {
    for group in [-1, 0, 1] {
        assert!(!LiveGroups.alive(group, 0), "{group}");
    }
}
