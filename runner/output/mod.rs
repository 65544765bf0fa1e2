//! The reporter: words events for people and machines. The only place that prints.

mod children;
mod diff;
mod fault;
pub mod json;
mod lines;
mod paint;
mod printer;
pub mod reasons;
mod report;
mod table;
mod target;
pub mod views;
pub mod watch;
pub mod wording;

pub use paint::{Colour, Look};
pub use printer::{Mode, Output, Sink, pass_on, prompt, prompts_are_seen};
pub use report::Reporter;
pub use target::Target;
