//! The states of a blue/green deployment. The API gives plain strings, so an unknown one is kept, never guessed at.
//!
//! <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_BlueGreenDeployment.html>

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! statuses {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(from = "String", into = "String")]
        pub enum $name {
            $($(#[$vdoc])* $variant,)*
            /// A status that this greenlight does not know: never treated as good.
            Other(String),
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                match text.as_str() {
                    $($text => Self::$variant,)*
                    _ => Self::Other(text),
                }
            }
        }

        impl From<$name> for String {
            fn from(status: $name) -> Self {
                status.to_string()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    $(Self::$variant => $text,)*
                    Self::Other(text) => text,
                })
            }
        }
    };
}

statuses! {
    /// `BlueGreenDeployment.Status`.
    DeploymentStatus {
        /// Green is being made.
        Provisioning = "PROVISIONING",
        /// Green is there; a switchover may be asked for. Also what a rolled-back switchover may leave behind.
        Available = "AVAILABLE",
        /// The switchover is running.
        SwitchoverInProgress = "SWITCHOVER_IN_PROGRESS",
        /// Green is production now.
        SwitchoverCompleted = "SWITCHOVER_COMPLETED",
        /// Green was changed so that it can no longer be switched to.
        InvalidConfiguration = "INVALID_CONFIGURATION",
        /// The switchover failed.
        SwitchoverFailed = "SWITCHOVER_FAILED",
        /// The deployment is being deleted.
        Deleting = "DELETING",
    }
}

statuses! {
    /// `SwitchoverDetails[].Status`: one for the cluster and one for each instance.
    MemberStatus {
        /// The green member is being made.
        Provisioning = "PROVISIONING",
        /// Ready to be switched over.
        Available = "AVAILABLE",
        /// Being switched over.
        SwitchoverInProgress = "SWITCHOVER_IN_PROGRESS",
        /// Switched over.
        SwitchoverCompleted = "SWITCHOVER_COMPLETED",
        /// Failed or rolled back.
        SwitchoverFailed = "SWITCHOVER_FAILED",
        /// The blue member is gone.
        MissingSource = "MISSING_SOURCE",
        /// The green member is gone.
        MissingTarget = "MISSING_TARGET",
    }
}
