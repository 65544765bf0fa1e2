//! Evidence as data: the codes of the guard catalogue, how long each stays fresh, and one row of the verification table.
//!
//! Knows neither how evidence is gathered nor which guard asks for it.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::inventory::GuardSettings;
use crate::time::{Span, Time};

macro_rules! evidence_codes {
    ($($variant:ident = $word:literal, $fresh:expr, $about:literal;)*) => {
        /// A kind of evidence, by the code of the guard catalogue.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        pub enum EvidenceCode {
            $(#[doc = $about] #[serde(rename = $word)] $variant,)*
        }

        impl EvidenceCode {
            /// Every code, in the order of the catalogue.
            pub const ALL: &'static [EvidenceCode] = &[$(EvidenceCode::$variant),*];

            /// The code's word, such as `ETCD`.
            pub const fn word(self) -> &'static str {
                match self { $(EvidenceCode::$variant => $word,)* }
            }

            /// The code of a word.
            pub fn from_word(word: &str) -> Option<EvidenceCode> {
                EvidenceCode::ALL.iter().copied().find(|code| code.word() == word)
            }

            /// What it shows, in a few words.
            pub const fn about(self) -> &'static str {
                match self { $(EvidenceCode::$variant => $about,)* }
            }

            /// How long it counts after it was gathered, where nothing tightens that.
            pub const fn fresh(self) -> Span {
                match self { $(EvidenceCode::$variant => $fresh,)* }
            }
        }
    };
}

evidence_codes! {
    Id = "ID", Span::mins(5), "the cluster is the pinned one";
    Node = "NODE", Span::mins(2), "the node is the pinned machine";
    Maint = "MAINT", Span::mins(2), "the node is in maintenance mode";
    Etcd = "ETCD", Span::secs(60), "every member is healthy and all agree";
    Snap = "SNAP", Span::mins(15), "an etcd snapshot is fresh and verified";
    Disk = "DISK", Span::mins(5), "disks and volumes are as the call needs them";
    Stor = "STOR", Span::mins(2), "volumes have a healthy replica elsewhere";
    Backup = "BACKUP", Span::hours(24), "application data is backed up off the cluster";
    Diff = "DIFF", Span::mins(2), "the change is the one that was shown";
    Blast = "BLAST", Span::mins(2), "everything that runs there comes back elsewhere";
    Img = "IMG", Span::mins(30), "the image can be pulled and fits";
    Sec = "SEC", Span::mins(5), "role and secrets of the config are the live ones";
    Gitops = "GITOPS", Span::mins(2), "its owner agrees";
    Lock = "LOCK", Span::mins(2), "no other run and no try window is open";
    Oob = "OOB", Span::hours(4), "somebody can reach the machine by hand";
}

impl EvidenceCode {
    /// How long it counts on a cluster with these settings: they tighten, never loosen.
    pub fn limit(self, settings: &GuardSettings) -> Span {
        match (self, settings.snapshot_max_age) {
            (EvidenceCode::Snap, Some(tighter)) => self.fresh().min(tighter),
            _ => self.fresh(),
        }
    }
}

impl fmt::Display for EvidenceCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Evidence that the engine must gather before a call is judged.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EvidenceNeed {
    /// Which.
    pub code: EvidenceCode,
    /// About which node; none for the cluster as a whole.
    pub node: Option<String>,
    /// Older evidence is as good as none.
    pub fresh: Span,
}

/// What a row of evidence says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum State {
    /// It holds.
    #[serde(rename = "pass")]
    Pass,
    /// It does not hold.
    #[serde(rename = "fail")]
    Fail,
    /// Nobody can say; this is not healthy.
    #[serde(rename = "unknown")]
    Unknown,
    /// It does not apply, and the row's proof says why. Counts as pass.
    #[serde(rename = "n/a")]
    NotApplicable,
}

impl State {
    /// Whether the row lets a call pass.
    pub const fn holds(self) -> bool {
        matches!(self, State::Pass | State::NotApplicable)
    }

    /// The word of the table.
    pub const fn word(self) -> &'static str {
        match self {
            State::Pass => "pass",
            State::Fail => "fail",
            State::Unknown => "unknown",
            State::NotApplicable => "n/a",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// One row of the verification table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// Which evidence.
    pub code: EvidenceCode,
    /// About which node; none for the cluster as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// What it says.
    pub state: State,
    /// What was found, in a few words.
    pub found: String,
    /// When it was gathered.
    pub at: Time,
    /// What shows it: who was asked, or why it does not apply.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub proof: String,
    /// What to do where it does not hold: a command to copy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub way_out: Option<String>,
}

impl Evidence {
    /// A row about a node, or about the cluster.
    pub fn new(
        code: EvidenceCode,
        node: Option<&str>,
        state: State,
        found: impl Into<String>,
        at: Time,
    ) -> Evidence {
        Evidence {
            code,
            node: node.map(str::to_owned),
            state,
            found: found.into(),
            at,
            proof: String::new(),
            way_out: None,
        }
    }

    /// Says what shows it.
    #[must_use]
    pub fn proof(mut self, proof: impl Into<String>) -> Evidence {
        self.proof = proof.into();
        self
    }

    /// Says what to do about it.
    #[must_use]
    pub fn way_out(mut self, command: impl Into<String>) -> Evidence {
        self.way_out = Some(command.into());
        self
    }
}
