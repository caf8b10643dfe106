//! The old server, read as SQL statements that make the new one equal.

use tokio_postgres::Client;

use super::run::Item;
use crate::pg::{self, Result, Row, Server};

/// A session on a database of the old server in which all names come out qualified and quoted.
pub(super) struct Source {
    client: Client,
    pub(super) major: u32,
    pub(super) database: String,
}

impl Source {
    pub(super) async fn open(server: &Server, database: &str) -> Result<Self> {
        let client = server.connect(database).await?;
        let settings = "set search_path = ''; set quote_all_identifiers = on; set datestyle = iso; \
                        set intervalstyle = postgres; set extra_float_digits = 3; set bytea_output = hex; \
                        set statement_timeout = 0; set lock_timeout = 0; set row_security = off; \
                        set standard_conforming_strings = on";
        pg::execute(&client, database, settings).await?;
        Ok(Self {
            client,
            major: server.major(),
            database: database.to_owned(),
        })
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    pub(super) async fn rows(&self, sql: &str) -> Result<Vec<Row>> {
        pg::query(&self.client, &self.database, sql).await
    }

    /// Rows of a name and one or more ways of saying the same in SQL.
    pub(super) async fn items(&self, sql: &str) -> Result<Vec<Item>> {
        let rows = self.rows(sql).await?;
        Ok(rows
            .into_iter()
            .filter_map(|row| {
                let mut fields = row.into_iter();
                let object = fields.next().flatten()?;
                let ways: Vec<String> = fields.flatten().collect();
                (!ways.is_empty()).then_some(Item { object, ways })
            })
            .collect())
    }

    /// `then` on servers of at least this major, else `otherwise`: what a catalog does not have yet cannot be asked.
    pub(super) fn since<'a>(&self, major: u32, then: &'a str, otherwise: &'a str) -> &'a str {
        if self.major >= major { then } else { otherwise }
    }
}

/// The condition that `alias`, a row of `catalog`, was made by a user: not by initdb and not by an extension.
pub(super) fn own(alias: &str, catalog: &str) -> String {
    format!(
        "{alias}.oid >= 16384 and not exists (select from pg_depend e \
         where e.classid = '{catalog}'::regclass and e.objid = {alias}.oid and e.deptype = 'e')"
    )
}

/// The condition that `alias`, a row of `catalog`, came with no other object, as the constructors of a range type do.
pub(super) fn independent(alias: &str, catalog: &str) -> String {
    format!(
        "not exists (select from pg_depend i where i.classid = '{catalog}'::regclass and i.objid = {alias}.oid and i.deptype = 'i')"
    )
}

/// The condition that `alias`, a row of `pg_namespace`, is a schema of users.
pub(super) fn user_schema(alias: &str) -> String {
    format!("({alias}.nspname !~ '^pg_' and {alias}.nspname <> 'information_schema')")
}

/// `WITH` options from an array of `name=value`, as ` with (…)` or nothing.
pub(super) fn with_options(array: &str) -> String {
    format!(
        "coalesce((select format(' with (%s)', string_agg(format('%s=%L', split_part(o, '=', 1), \
         substr(o, strpos(o, '=') + 1)), ', ')) from unnest({array}) o having count(*) > 0), '')"
    )
}

/// Foreign-data options from an array of `name=value`, as ` options (…)` or nothing.
pub(super) fn fdw_options(array: &str) -> String {
    format!(
        "coalesce((select format(' options (%s)', string_agg(format('%I %L', split_part(o, '=', 1), \
         substr(o, strpos(o, '=') + 1)), ', ')) from unnest({array}) o having count(*) > 0), '')"
    )
}
