//! What shims say, as the engine hears it.

#![allow(clippy::unwrap_used)]

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream as Blocking;

use ops_core::error::{Code, Fault};

use super::*;

fn message(args: &[&str], title: &str) -> Message {
    let refused = Refused::of(&Fault::new(Code::SHIM, title));
    let args = args.iter().map(|arg| (*arg).to_owned()).collect();
    Message { tool: "kubectl".into(), args, says: Says::Refused(refused) }
}

fn listening<T>(test: impl AsyncFnOnce(&Path, &Channel) -> T) -> T {
    let dir = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let channel = Channel::open(dir.path(), Redactor::default()).unwrap();
        test(dir.path(), &channel).await
    })
}

async fn heard(channel: &Channel) -> Said {
    std::future::poll_fn(|task| channel.poll_said(task)).await
}

#[test]
fn a_shim_that_refuses_waits_until_the_engine_lets_go() {
    listening(async |folder, channel| {
        let folder = folder.to_owned();
        let shim = std::thread::spawn(move || refuse(&folder, &message(&["delete"], "no read")));
        let said = heard(channel).await;
        assert_eq!(said.pid, Some(std::process::id().cast_signed()));
        assert_eq!(said.message.fault().unwrap().title, "no read");
        let waiting = said.keep_waiting();
        assert!(!shim.is_finished());
        drop(waiting);
        shim.join().unwrap().unwrap();
    });
}

#[test]
fn what_is_cut_off_or_forged_is_a_refusal_all_the_same() {
    for words in
        ["{\"tool\": \"kub", "\n", "{}\n", "{\"tool\":\"x\",\"args\":[],\"says\":\"yes\"}\n"]
    {
        listening(async |folder, channel| {
            let mut stream = Blocking::connect(folder.join(SOCKET)).unwrap();
            stream.write_all(words.as_bytes()).unwrap();
            drop(stream);
            let said = heard(channel).await;
            assert_eq!(said.message.fault().unwrap().code, Code::SHIM, "{words}");
        });
    }
}

#[test]
fn a_refusal_keeps_no_code_but_that_of_a_shim_or_of_the_partitions() {
    for (code, taken) in [
        (Code::GUARD_PARTITIONS, Code::GUARD_PARTITIONS),
        (Code::SHIM, Code::SHIM),
        (Code::BUG, Code::SHIM),
        (Code::LOCKED, Code::SHIM),
    ] {
        let says = Says::Refused(Refused { code: code.number, ..Refused::default() });
        let message = Message { tool: "kubectl".into(), args: Vec::new(), says };
        assert_eq!(message.fault().unwrap().code, taken);
    }
}

#[test]
fn an_answer_arrives_byte_for_byte() {
    listening(async |folder, channel| {
        let folder = folder.to_owned();
        let says = Says::Ask(Ask::default());
        let question = Message { says, ..message(&["get"], "") };
        let shim = std::thread::spawn(move || ask(&folder, &question));
        let said = heard(channel).await;
        assert_eq!(said.message.fault(), None);
        let printed = Printed { code: 7, stdout: vec![0xff; 1 << 20], stderr: b"warn".to_vec() };
        channel.answer(said, &printed);
        // The answer is written while the channel is listened to.
        let listen = std::future::poll_fn(|task| channel.poll_said(task).map(drop));
        let _ = tokio::time::timeout(Duration::from_secs(5), async {
            tokio::select! {
                () = listen => {}
                () = async { while !shim.is_finished() { tokio::task::yield_now().await } } => {}
            }
        })
        .await;
        assert_eq!(shim.join().unwrap().unwrap(), Some(printed));
    });
}

#[test]
fn an_engine_that_ends_lets_the_shim_go_without_an_answer() {
    let dir = tempfile::tempdir().unwrap();
    let socket = std::os::unix::net::UnixListener::bind(dir.path().join(SOCKET)).unwrap();
    let folder = dir.path().to_owned();
    let says = Says::Ask(Ask::default());
    let shim = std::thread::spawn(move || ask(&folder, &Message { says, ..message(&[], "") }));
    let mut talk = socket.accept().unwrap().0;
    let mut first = [0; 1];
    talk.read_exact(&mut first).unwrap();
    drop(talk);
    assert_eq!(shim.join().unwrap().unwrap(), None);
    drop(socket);
    assert!(refuse(dir.path(), &message(&[], "")).is_err(), "nobody listens");
}

#[test]
fn credentials_on_a_command_line_and_known_secrets_are_not_shown() {
    let args = ["get", "--token", "canary", "--password=canary", "a b", "--token=canary"];
    let line = message(&args, "x").line();
    assert_eq!(line, "kubectl get --token … --password=… 'a b' --token=…");
    let redactor = Redactor::default();
    redactor.learn(b"canary-secret");
    let masked = message(&["x=canary-secret"], "`canary-secret`").masked(&redactor);
    assert!(!format!("{masked:?}").contains("canary-secret"), "{masked:?}");
}

#[test]
fn a_path_longer_than_a_socket_may_have_is_no_obstacle() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("x".repeat(120));
    fs::create_dir(&folder).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let channel = Channel::open(&folder, Redactor::default()).unwrap();
        let shim = std::thread::spawn(move || refuse(&folder, &message(&[], "far away")));
        drop(heard(&channel).await);
        shim.join().unwrap().unwrap();
    });
}
