//! The log of all calls, so that a test can say what was asked, how often, and what came back.

use std::{collections::BTreeMap, sync::Mutex};

use jiff::Timestamp;
use serde::Serialize;

/// One call.
#[derive(Debug, Clone, Serialize)]
pub struct Call {
    /// The action, such as `DescribeDBClusters`.
    pub action: String,
    /// All other fields of the form.
    pub params: BTreeMap<String, String>,
    /// When it came in.
    pub at: Timestamp,
    /// How long the answer took, in milliseconds.
    pub took_ms: u64,
    /// The HTTP status; `None` when the connection ended without an answer.
    pub status: Option<u16>,
    /// The error code of a fault.
    pub code: Option<String>,
    /// The request ID that the answer carried.
    pub request_id: String,
    /// The access key that signed the call.
    pub access_key: Option<String>,
    /// Whether the call had its effect, whatever was answered.
    pub took_effect: bool,
}

/// All calls since the start or the last [`Calls::clear`].
#[derive(Debug, Default)]
pub struct Calls(Mutex<Vec<Call>>);

impl Calls {
    pub(crate) fn record(&self, call: Call) {
        self.lock().push(call);
    }

    /// All calls in the order of their answers.
    pub fn all(&self) -> Vec<Call> {
        self.lock().clone()
    }

    /// The calls of one action.
    pub fn of(&self, action: &str) -> Vec<Call> {
        self.lock()
            .iter()
            .filter(|call| call.action == action)
            .cloned()
            .collect()
    }

    /// How often an action took effect.
    pub fn effects(&self, action: &str) -> usize {
        self.lock()
            .iter()
            .filter(|call| call.action == action && call.took_effect)
            .count()
    }

    /// How many calls came in, and the most within any one second.
    pub fn rate(&self) -> (usize, usize) {
        let mut times: Vec<Timestamp> = self.lock().iter().map(|call| call.at).collect();
        times.sort_unstable();
        let mut first = 0;
        let mut most = 0;
        for (last, at) in times.iter().enumerate() {
            while at.duration_since(times[first]) >= jiff::SignedDuration::from_secs(1) {
                first += 1;
            }
            most = most.max(last - first + 1);
        }
        (times.len(), most)
    }

    /// How many calls were throttled.
    pub fn throttled(&self) -> usize {
        let all = self.lock();
        all.iter()
            .filter(|call| call.code.as_deref() == Some("Throttling"))
            .count()
    }

    /// Forgets everything.
    pub fn clear(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Call>> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
