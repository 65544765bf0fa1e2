//! The program: hands the command line to `cli` and ends with its exit code. Does nothing else.

fn main() -> std::process::ExitCode {
    ops::cli::main(std::env::args_os())
}
