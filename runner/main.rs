//! The program: hands the command line to `cli`, as itself or as the tool under whose name it was started, and ends with its exit code.
//! Does nothing else.

use ops::cli::shim;

fn main() -> std::process::ExitCode {
    let mut words = std::env::args_os().peekable();
    match words.peek().and_then(|program| shim::tool(program)) {
        Some(tool) => {
            let program = words.next().unwrap_or_default();
            shim::main(tool, &program, words)
        }
        None => ops::cli::main(words),
    }
}
