//! Copies the schema of one server to another of the same or a newer major version, as `pg_upgrade` does with
//! `pg_dump`; the prebuilt servers have neither program.
//!
//! Everything is read with the old server's own `pg_get_…def` functions and created in an order that works nearly
//! always; what fails is tried again after everything else, until nothing moves any more. What then is left could not
//! be created, and that is what a failed restore in a real upgrade is: a view on a column that the new version no
//! longer has, a table WITH OIDS, a role setting that is gone. It is returned, with the statement and the error; so is
//! what `pg_upgrade --check` would not let pass.
//!
//! Rows of ordinary tables are not copied: logical replication brings them ([`crate::replicate`]). Rows of unlogged
//! tables, large objects and the positions of sequences are, because it does not.
//!
//! Left out: tablespaces, security labels, subscriptions, statistics of the planner, dropped columns.

mod data;
mod foreign;
mod globals;
mod indexes;
mod precheck;
mod privileges;
mod publications;
mod relations;
mod routines;
mod rules;
mod run;
mod source;
mod types;
mod unsupported;

use futures_util::{StreamExt, TryStreamExt, stream};

use crate::pg::{Result, Server, ident};

pub(crate) use data::{Position, sequence_positions, set_sequences};
use run::{Runner, Stage};
use source::Source;

/// Databases copied at the same time.
const PARALLEL: usize = 4;

/// What a copy left undone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Copied {
    /// What could not be created. A real `pg_upgrade` ends at the first of these.
    pub failures: Vec<Failure>,
    /// What was created otherwise than it was, without anything being lost.
    pub notes: Vec<String>,
}

/// An object that the new server did not take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The database, or nothing for roles and databases themselves.
    pub database: Option<String>,
    /// What it is, such as `view "public"."v"`.
    pub object: String,
    /// The statement that failed; empty if it came to none, because the old server's state rules the upgrade out.
    pub statement: String,
    /// The server's words.
    pub error: String,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(database) = &self.database {
            write!(f, "database {}: ", ident(database))?;
        }
        let what = if self.statement.is_empty() {
            ""
        } else {
            "could not create "
        };
        write!(f, "{what}{}: {}", self.object, self.error)
    }
}

/// Copies roles, databases and all that is in them. `green` is fresh, or holds only roles and databases that `blue` has
/// too.
///
/// # Errors
/// When a server cannot be reached or the old one cannot be read. What the new one refuses is no error but part of the
/// result.
pub async fn copy(blue: &Server, green: &Server) -> Result<Copied> {
    let mut copied = Copied::default();
    let source = Source::open(blue, "postgres").await?;
    copied.failures.append(&mut precheck::server(&source).await?);
    let mut runner = Runner::open(green, "postgres", None).await?;
    runner
        .run(Stage::Definitions, globals::roles(&source).await?)
        .await?;
    runner
        .run(Stage::Later, globals::memberships(&source).await?)
        .await?;
    runner
        .run(Stage::Later, globals::databases(&source, green).await?)
        .await?;
    copied.failures.append(&mut runner.finish());

    let databases = source
        .rows("select datname, datallowconn and datconnlimit <> -2 from pg_database where datname <> 'template0' order by 1")
        .await?;
    let mut open = Vec::new();
    for row in databases {
        let [Some(name), connections] = row.as_slice() else {
            continue;
        };
        if connections.as_deref() == Some("t") {
            open.push(name.clone());
        } else {
            copied.failures.push(Failure {
                database: Some(name.clone()),
                object: "the contents of the database".to_owned(),
                statement: String::new(),
                error: "all databases must allow connections, and this one does not (datallowconn is false, or it is invalid)"
                    .to_owned(),
            });
        }
    }
    let parts: Vec<Copied> = stream::iter(open)
        .map(|database| async move { copy_database(blue, green, &database).await })
        .buffered(PARALLEL)
        .try_collect()
        .await?;
    for mut part in parts {
        copied.failures.append(&mut part.failures);
        copied.notes.append(&mut part.notes);
    }
    // Last, because a setting of a database or a role can hinder the copy itself.
    let mut runner = Runner::open(green, "postgres", None).await?;
    runner
        .run(Stage::Later, globals::settings(&source).await?)
        .await?;
    copied.failures.append(&mut runner.finish());
    Ok(copied)
}

async fn copy_database(blue: &Server, green: &Server, database: &str) -> Result<Copied> {
    let source = Source::open(blue, database).await?;
    let mut runner = match Runner::open(green, database, Some(database)).await {
        Ok(runner) => runner,
        // It could not be created, which is told already.
        Err(error) if error.sqlstate() == Some("3D000") => return Ok(Copied::default()),
        Err(error) => return Err(error),
    };
    let mut failures = precheck::database(&source, green.major()).await?;
    let mut notes = Vec::new();
    runner
        .run(Stage::Schemas, source.items(&types::schemas()).await?)
        .await?;
    runner
        .run(
            Stage::Extensions,
            types::extensions(&source, green, &mut notes).await?,
        )
        .await?;
    let mut definitions = Vec::new();
    for sql in [
        types::collations(&source),
        types::types(&source),
        types::domain_constraints(),
        routines::functions(&source),
        routines::aggregates(&source),
        routines::operators(),
        routines::casts(),
        routines::text_search(),
        foreign::wrappers_and_servers(),
        foreign::user_mappings(),
        relations::sequences(&source),
        relations::tables(&source),
        relations::check_constraints(),
        relations::defaults(&source),
        relations::views(),
    ] {
        definitions.append(&mut source.items(&sql).await?);
    }
    runner.run(Stage::Definitions, definitions).await?;
    for (stage, queries) in [
        (Stage::Inheritance, vec![relations::inheritance()]),
        (
            Stage::Indexes,
            vec![indexes::constraints(), indexes::indexes(&source)],
        ),
        (Stage::IndexParts, vec![indexes::parts()]),
        (Stage::ForeignKeys, vec![indexes::foreign_keys(&source)]),
        (
            Stage::Later,
            vec![
                indexes::statistics(&source),
                indexes::marks(),
                relations::owned_sequences(),
                relations::column_options(&source),
                rules::rules(),
                rules::policies(),
                rules::triggers(&source),
                rules::trigger_states(),
            ],
        ),
    ] {
        let mut items = Vec::new();
        for sql in queries {
            items.append(&mut source.items(&sql).await?);
        }
        runner.run(stage, items).await?;
    }
    runner
        .run(Stage::Later, data::large_objects(&source).await?)
        .await?;
    let mut last = Vec::new();
    for sql in [
        privileges::objects(&source),
        privileges::columns(),
        privileges::comments(),
        privileges::domain_constraint_comments(),
        publications::publications(&source),
        publications::members(&source),
        privileges::defaults(),
        // After everything that could set them off.
        rules::event_triggers(),
    ] {
        last.append(&mut source.items(&sql).await?);
    }
    runner.run(Stage::Later, last).await?;
    let positions = sequence_positions(source.client(), database).await?;
    failures.append(&mut data::copy_unlogged(&source, &runner).await?);
    failures.append(&mut data::restore_positions(&runner, &positions).await?);
    failures.append(&mut unsupported::find(&source).await?);
    failures.append(&mut runner.finish());
    Ok(Copied { failures, notes })
}
