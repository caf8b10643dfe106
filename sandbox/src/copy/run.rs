//! Runs the statements on the new server, again and again while that gets anywhere.

use tokio_postgres::Client;

use super::Failure;
use crate::pg::{self, Error, Result, Server};

/// Steps that must not overtake each other. What a step could not do is tried again in every later one: a view may
/// need a primary key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Schemas,
    Extensions,
    /// Whatever can depend on each other in any direction: types, functions, tables, views.
    Definitions,
    /// Children are complete, their parents too.
    Inheritance,
    Indexes,
    IndexParts,
    ForeignKeys,
    Later,
}

/// One object and the ways to create it; the first that works is taken.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) object: String,
    pub(super) ways: Vec<String>,
}

impl Item {
    pub(super) fn new(object: impl Into<String>, statement: impl Into<String>) -> Self {
        Self {
            object: object.into(),
            ways: vec![statement.into()],
        }
    }
}

/// A session on a database of the new server, and what did not work in it so far.
pub(super) struct Runner {
    client: Client,
    database: String,
    /// What failures say.
    label: Option<String>,
    pending: Vec<(Item, String)>,
}

impl Runner {
    pub(super) async fn open(server: &Server, database: &str, label: Option<&str>) -> Result<Self> {
        let client = server.connect(database).await?;
        // As pg_dump sets it; a green that is in use already is read-only by default.
        let settings = "set search_path = ''; set check_function_bodies = off; set xmloption = content; \
                        set client_min_messages = warning; set default_transaction_read_only = off; \
                        set statement_timeout = 0; set lock_timeout = 0; set row_security = off; \
                        set standard_conforming_strings = on; set default_tablespace = ''";
        pg::execute(&client, database, settings).await?;
        Ok(Self {
            client,
            database: database.to_owned(),
            label: label.map(str::to_owned),
            pending: Vec::new(),
        })
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Adds the items to those that are pending and goes over all of them until a whole round changes nothing.
    pub(super) async fn run(&mut self, stage: Stage, items: Vec<Item>) -> Result<()> {
        tracing::debug!(database = %self.database, ?stage, count = items.len(), "copying");
        let fresh = items.into_iter().map(|item| (item, String::new()));
        let mut todo: Vec<(Item, String)> = self.pending.drain(..).chain(fresh).collect();
        loop {
            let before = todo.len();
            let mut left = Vec::new();
            for (item, _) in todo {
                if let Some(error) = self.attempt(&item).await? {
                    left.push((item, error));
                }
            }
            if left.is_empty() || left.len() == before {
                self.pending = left;
                return Ok(());
            }
            todo = left;
        }
    }

    /// The server's words if no way worked.
    async fn attempt(&self, item: &Item) -> Result<Option<String>> {
        let mut first = None;
        for way in &item.ways {
            match self.try_statement(way).await? {
                None => return Ok(None),
                Some(error) => first = first.or(Some(error)),
            }
        }
        Ok(first)
    }

    /// `None` if it worked, else what the server said. Only a lost connection is an error.
    pub(super) async fn try_statement(&self, statement: &str) -> Result<Option<String>> {
        match self.client.batch_execute(statement).await {
            Ok(()) => Ok(None),
            Err(error) if error.as_db_error().is_some() && !self.client.is_closed() => {
                Ok(Some(pg::chain(&error)))
            }
            Err(source) => Err(Error::Sql {
                database: self.database.clone(),
                statement: statement.to_owned(),
                source,
            }),
        }
    }

    /// A failure in this database.
    pub(super) fn failure(&self, object: String, statement: String, error: String) -> Failure {
        Failure {
            database: self.label.clone(),
            object,
            statement,
            error,
        }
    }

    /// What never worked.
    pub(super) fn finish(&mut self) -> Vec<Failure> {
        std::mem::take(&mut self.pending)
            .into_iter()
            .map(|(item, error)| {
                let statement = item.ways.into_iter().next().unwrap_or_default();
                self.failure(item.object, statement, error)
            })
            .collect()
    }
}
