//! The servers of a scenario: started, given RDS's roles and the scenario's databases.

use futures_util::future::try_join_all;

use super::{World, databases::Databases};
use crate::{
    load, pg,
    roles::{self, Roles},
    scenario::{DatabaseSpec, LoadSpec, Scenario},
};

/// What a server is started for.
struct Wanted<'a> {
    resource: String,
    master: &'a str,
    setup: &'a str,
    databases: &'a [DatabaseSpec],
    load: Option<&'a LoadSpec>,
}

impl World {
    /// Starts the servers of all clusters and instances of a scenario, side by side.
    ///
    /// # Errors
    /// When a server cannot be started, or a statement of the scenario fails.
    pub(crate) async fn start_servers(&self, scenario: &Scenario) -> pg::Result<()> {
        let Some(databases) = self.databases() else {
            return Ok(());
        };
        let mut wanted = Vec::new();
        self.read(|account| {
            for spec in &scenario.cluster {
                wanted.extend(account.cluster(&spec.id).map(|found| Wanted {
                    resource: found.resource_id.clone(),
                    master: &spec.master_username,
                    setup: &spec.setup,
                    databases: &spec.database,
                    load: spec.load.as_ref(),
                }));
            }
            for spec in &scenario.instance {
                wanted.extend(account.instance(&spec.id).map(|found| Wanted {
                    resource: found.resource_id.clone(),
                    master: &spec.master_username,
                    setup: &spec.setup,
                    databases: &spec.database,
                    load: spec.load.as_ref(),
                }));
            }
        });
        try_join_all(wanted.iter().map(|wanted| self.start_one(databases, wanted))).await?;
        Ok(())
    }

    async fn start_one(&self, databases: &Databases, wanted: &Wanted<'_>) -> pg::Result<()> {
        // A cluster of another engine is only described.
        let Some((major, settings)) = self.settings_of(&wanted.resource) else {
            return Ok(());
        };
        let server = databases.start(&wanted.resource, major, settings).await?;
        let mut roles: Roles = databases.roles.clone();
        wanted.master.clone_into(&mut roles.master.name);
        roles::install(&server, &roles).await?;
        if !wanted.setup.is_empty() {
            server.execute("postgres", wanted.setup).await?;
        }
        for database in wanted.databases {
            if database.name != "postgres" {
                roles::create_database(&server, &database.name, wanted.master).await?;
            }
            let loaded = wanted
                .load
                .is_some_and(|load| load.databases.contains(&database.name));
            let table = if loaded { load::TABLE } else { "" };
            let sql = format!("{}\n;{table}", database.sql);
            let client = server
                .connect_as(&database.name, wanted.master, &roles.master.password)
                .await?;
            client
                .batch_execute(&sql)
                .await
                .map_err(|source| pg::Error::Sql {
                    database: database.name.clone(),
                    statement: sql.clone(),
                    source,
                })?;
        }
        Ok(())
    }
}
