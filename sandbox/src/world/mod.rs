//! The emulated account and what happens in it.
//!
//! [`account`] is the state; the other modules are the things that change it over time: parameters and reboots,
//! creation of a deployment, switchover, deletion. Each transition is a task that edits the account step by step, and
//! carries out on the real servers what the account says, when the world has servers.

pub mod account;
pub(crate) mod catalogue;
pub(crate) mod checks;
pub(crate) mod databases;
pub(crate) mod deletion;
mod green;
pub(crate) mod guardrails;
pub(crate) mod ids;
mod maintenance;
mod names;
pub(crate) mod pace;
pub(crate) mod parameters;
mod physical;
pub(crate) mod provision;
pub(crate) mod rename;
mod startup;
pub(crate) mod switchover;

use std::{
    collections::BTreeMap,
    fmt,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::task::JoinSet;

use self::{account::Account, databases::Databases, pace::Pace};
use crate::rds::faults::Faults;

/// One account, its servers and its clock.
pub(crate) struct World {
    account: Mutex<Arc<Account>>,
    /// Other accounts and Regions, by both. They are only described.
    elsewhere: BTreeMap<(String, String), Arc<Account>>,
    pace: Pace,
    faults: Arc<Faults>,
    databases: Option<Databases>,
    tasks: Mutex<JoinSet<()>>,
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World")
            .field("pace", &self.pace)
            .finish_non_exhaustive()
    }
}

impl World {
    pub(crate) fn new(
        account: Account,
        pace: Pace,
        faults: Arc<Faults>,
        databases: Option<Databases>,
    ) -> Self {
        Self {
            account: Mutex::new(Arc::new(account)),
            elsewhere: BTreeMap::new(),
            pace,
            faults,
            databases,
            tasks: Mutex::new(JoinSet::new()),
        }
    }

    /// Adds accounts and Regions that are only described.
    pub(crate) fn with_elsewhere(mut self, accounts: impl IntoIterator<Item = Account>) -> Self {
        let keyed = accounts
            .into_iter()
            .map(|account| ((account.id.clone(), account.region.clone()), Arc::new(account)));
        self.elsewhere = keyed.collect();
        self
    }

    /// Whether anything is known of an account.
    pub(crate) fn has_account(&self, id: &str) -> bool {
        self.read(|account| account.id == id) || self.elsewhere.keys().any(|(account, _)| account == id)
    }

    /// What is described in an account and Region other than home: an empty account where nothing was ever made.
    pub(crate) fn described(&self, id: &str, region: &str) -> Arc<Account> {
        let found = self.elsewhere.get(&(id.to_owned(), region.to_owned()));
        found.map_or_else(|| Arc::new(Account::new(id, region)), Arc::clone)
    }

    pub(crate) fn pace(&self) -> &Pace {
        &self.pace
    }

    /// The servers, in a world that has some.
    pub(crate) fn databases(&self) -> Option<&Databases> {
        self.databases.as_ref()
    }

    /// The account as it is now.
    pub(crate) fn snapshot(&self) -> Arc<Account> {
        Arc::clone(&lock(&self.account))
    }

    /// Looks at the account.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&Account) -> T) -> T {
        look(&self.snapshot())
    }

    /// Changes the account, all at once as others see it.
    pub(crate) fn edit<T>(&self, change: impl FnOnce(&mut Account) -> T) -> T {
        change(Arc::make_mut(&mut *lock(&self.account)))
    }

    /// Runs a transition beside the calls; it ends with the world.
    pub(crate) fn spawn(&self, transition: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = lock(&self.tasks);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(transition);
    }

    /// Ends all transitions. They hold the world, so it would not go away while one runs.
    pub(crate) fn stop(&self) {
        lock(&self.tasks).abort_all();
        if let Some(databases) = &self.databases {
            databases.stop();
        }
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
