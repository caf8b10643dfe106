//! The documented exit codes. Pipelines rely on them: a number never changes its meaning.

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Ready, or done.
    Ready = 0,
    /// A fault in the tool.
    Fault = 1,
    /// Wrong usage or configuration.
    Usage = 2,
    /// Could not look at all: credentials, network.
    CouldNotLook = 3,
    /// Not ready.
    NotReady = 10,
    /// Not determined: a blocker could not be judged.
    NotDetermined = 11,
    /// A change was refused, by greenlight, the operator or RDS: it was not made.
    Refused = 20,
    /// Switchover rolled back, or another change failed at RDS.
    RolledBack = 21,
    /// The outcome is not known; a person is needed.
    OutcomeUnknown = 22,
    /// Switched over, but verification found problems.
    VerifyFailed = 23,
    /// Interrupted.
    Interrupted = 130,
}

impl Exit {
    /// Every code with its meaning, for the help text and the documentation.
    pub const ALL: [(Self, &'static str); 11] = [
        (Self::Ready, "ready, or done"),
        (Self::Fault, "a fault in greenlight itself"),
        (Self::Usage, "wrong usage or configuration"),
        (Self::CouldNotLook, "could not look at all: credentials, network"),
        (Self::NotReady, "not ready"),
        (
            Self::NotDetermined,
            "not determined: a blocker could not be judged",
        ),
        (
            Self::Refused,
            "refused: the change that was asked for was not made",
        ),
        (
            Self::RolledBack,
            "switchover rolled back, or a change failed at RDS",
        ),
        (Self::OutcomeUnknown, "outcome unknown, a person is needed"),
        (
            Self::VerifyFailed,
            "switched over, but verification found problems",
        ),
        (Self::Interrupted, "interrupted"),
    ];

    /// The number.
    pub fn code(self) -> u8 {
        self as u8
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}
