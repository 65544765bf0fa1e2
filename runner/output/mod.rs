//! The reporter: words events for people and machines. The only place that prints.
