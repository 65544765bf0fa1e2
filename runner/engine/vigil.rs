//! What a watch does next: run, wait, cut a run short, end. A state and what is heard give the next state and one act; knows neither files
//! nor clocks nor screens.
//!
//! | heard | waiting | due | running | cut | ending |
//! |---|---|---|---|---|---|
//! | an input moved | run | – | cut it, where that does no harm; else run again after it | – | – |
//! | the time is up | – | run | – | – | – |
//! | the run ended | – | – | wait; run again where an input moved meanwhile | run | leave |
//! | Ctrl-C | leave | leave | hand it on | hand it on | hand it on |

use ops_core::time::Span;

/// After so many runs in a row that ended with an input changed meanwhile, the recipe itself is suspected, and the next ones have to wait.
const RESTLESS: u32 = 3;
/// The longest that they wait.
const PATIENCE: Span = Span(30_000);

/// What a watch learns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// An input is no longer what it was when it was read.
    Moved {
        /// The run under way may be cut short: it has not begun to change a cluster.
        cut: bool,
    },
    /// A run that had to wait may start.
    Due,
    /// The run under way is over.
    Ended {
        /// An input changed while it ran.
        moved: bool,
    },
    /// Ctrl-C or TERM.
    Signal,
}

/// What a watch does about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Nothing.
    Nothing,
    /// Starts a run.
    Run,
    /// Starts one after a while: the last ones changed what they read.
    Later(Span),
    /// Ends the run under way, whose result would be out of date: no new call, shell lines are signalled, other changes finish.
    Cut,
    /// Hands the signal to the run under way.
    Pass,
    /// Ends.
    Leave {
        /// A run was interrupted for it.
        interrupted: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting,
    Due,
    Running { again: bool },
    Cut,
    Ending,
}

/// A watch from its first run to its end.
#[derive(Clone, Debug)]
pub struct Vigil {
    state: State,
    restless: u32,
}

impl Default for Vigil {
    /// It begins with a run.
    fn default() -> Vigil {
        Vigil { state: State::Running { again: false }, restless: 0 }
    }
}

impl Vigil {
    /// Takes in what was heard.
    pub fn hear(&mut self, heard: Heard) -> Act {
        let (state, act) = match (self.state, heard) {
            (State::Waiting | State::Due, Heard::Signal) => {
                (self.state, Act::Leave { interrupted: false })
            }
            (State::Waiting, Heard::Moved { .. }) | (State::Due, Heard::Due) => {
                (State::Running { again: false }, Act::Run)
            }
            (State::Running { again: false }, Heard::Moved { cut: true }) => (State::Cut, Act::Cut),
            (State::Running { .. }, Heard::Moved { .. }) => {
                (State::Running { again: true }, Act::Nothing)
            }
            (State::Running { .. } | State::Cut | State::Ending, Heard::Signal) => {
                (State::Ending, Act::Pass)
            }
            (State::Running { again }, Heard::Ended { moved }) => self.over(again || moved),
            (State::Cut, Heard::Ended { .. }) => (State::Running { again: false }, Act::Run),
            (State::Ending, Heard::Ended { .. }) => {
                (State::Ending, Act::Leave { interrupted: true })
            }
            (state, _) => (state, Act::Nothing),
        };
        self.state = state;
        act
    }

    /// Whether a run is under way.
    pub fn running(&self) -> bool {
        matches!(self.state, State::Running { .. } | State::Cut | State::Ending)
    }

    /// A run came to its own end.
    fn over(&mut self, moved: bool) -> (State, Act) {
        if !moved {
            self.restless = 0;
            return (State::Waiting, Act::Nothing);
        }
        self.restless += 1;
        match self.restless.checked_sub(RESTLESS) {
            None => (State::Running { again: false }, Act::Run),
            Some(over) => {
                let wait = Span((1000 << over.min(5)).min(PATIENCE.0));
                (State::Due, Act::Later(wait))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOVED: Heard = Heard::Moved { cut: true };
    const MOVED_BEHIND_A_CHANGE: Heard = Heard::Moved { cut: false };
    const ENDED: Heard = Heard::Ended { moved: false };
    const ENDED_STALE: Heard = Heard::Ended { moved: true };

    #[track_caller]
    fn story(what: &[(Heard, Act)]) {
        let mut vigil = Vigil::default();
        for (number, (heard, act)) in what.iter().enumerate() {
            assert_eq!(vigil.hear(*heard), *act, "at {number}: {heard:?}");
        }
    }

    #[test]
    fn it_runs_once_and_then_whenever_an_input_moved() {
        story(&[
            (ENDED, Act::Nothing),
            (MOVED, Act::Run),
            (ENDED, Act::Nothing),
            (MOVED, Act::Run),
        ]);
    }

    #[test]
    fn a_change_during_a_run_cuts_it_once_and_starts_the_next() {
        story(&[
            (MOVED, Act::Cut),
            (MOVED, Act::Nothing),
            (ENDED_STALE, Act::Run),
            (ENDED, Act::Nothing),
        ]);
    }

    #[test]
    fn a_run_that_changes_a_cluster_is_left_to_finish_and_then_runs_again() {
        story(&[
            (MOVED_BEHIND_A_CHANGE, Act::Nothing),
            (MOVED, Act::Nothing),
            (ENDED, Act::Run),
            (ENDED, Act::Nothing),
        ]);
    }

    #[test]
    fn a_change_that_shows_only_at_the_end_of_a_run_starts_the_next() {
        story(&[(ENDED_STALE, Act::Run), (ENDED, Act::Nothing)]);
    }

    #[test]
    fn a_run_that_keeps_changing_what_it_reads_has_to_wait_longer_and_longer() {
        let mut vigil = Vigil::default();
        assert_eq!(vigil.hear(ENDED_STALE), Act::Run);
        assert_eq!(vigil.hear(ENDED_STALE), Act::Run);
        for seconds in [1, 2, 4, 8, 16, 30, 30] {
            assert_eq!(vigil.hear(ENDED_STALE), Act::Later(Span(seconds * 1000)));
            assert_eq!(vigil.hear(MOVED), Act::Nothing, "it is due anyhow");
            assert_eq!(vigil.hear(Heard::Due), Act::Run);
        }
        assert_eq!(vigil.hear(ENDED), Act::Nothing);
        assert_eq!(vigil.hear(MOVED), Act::Run);
        assert_eq!(vigil.hear(ENDED_STALE), Act::Run, "what was is forgotten");
    }

    #[test]
    fn ctrl_c_ends_a_waiting_watch_at_once() {
        story(&[(ENDED, Act::Nothing), (Heard::Signal, Act::Leave { interrupted: false })]);
        story(&[
            (ENDED_STALE, Act::Run),
            (ENDED_STALE, Act::Run),
            (ENDED_STALE, Act::Later(Span(1000))),
            (Heard::Signal, Act::Leave { interrupted: false }),
        ]);
    }

    #[test]
    fn ctrl_c_during_a_run_reaches_the_run_and_nothing_starts_behind_it() {
        for before in [None, Some(MOVED), Some(MOVED_BEHIND_A_CHANGE)] {
            let mut vigil = Vigil::default();
            before.map(|heard| vigil.hear(heard));
            assert_eq!(vigil.hear(Heard::Signal), Act::Pass);
            assert_eq!(vigil.hear(MOVED), Act::Nothing);
            assert_eq!(vigil.hear(Heard::Signal), Act::Pass, "the second and the third too");
            assert_eq!(vigil.hear(ENDED_STALE), Act::Leave { interrupted: true });
        }
    }

    #[test]
    fn whatever_is_heard_it_never_runs_twice_at_once_and_never_after_its_end() {
        let all = [MOVED, MOVED_BEHIND_A_CHANGE, Heard::Due, ENDED, ENDED_STALE, Heard::Signal];
        // Every story of six things heard.
        for number in 0..6_u32.pow(6) {
            let mut vigil = Vigil::default();
            let (mut running, mut signalled) = (true, false);
            for at in 0..6 {
                let heard = all[(number / 6_u32.pow(at) % 6) as usize];
                if matches!(heard, Heard::Ended { .. }) {
                    if !running {
                        continue;
                    }
                    running = false;
                }
                signalled |= heard == Heard::Signal;
                match vigil.hear(heard) {
                    Act::Run => {
                        assert!(!running && !signalled, "story {number}");
                        running = true;
                    }
                    Act::Cut | Act::Pass => assert!(running, "story {number}"),
                    Act::Leave { .. } => break,
                    Act::Nothing | Act::Later(_) => {}
                }
                assert_eq!(vigil.running(), running, "story {number}");
            }
        }
    }
}
