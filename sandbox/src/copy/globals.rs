//! What belongs to the whole server: roles, memberships, databases, and settings of roles and databases.

use super::privileges::grants;
use super::run::Item;
use super::source::Source;
use crate::pg::{Result, Server, ident, literal};

/// Settings whose value is a list of names, each of which is quoted on its own, like PostgreSQL's GUC_LIST_QUOTE.
const LISTS: [&str; 6] = [
    "local_preload_libraries",
    "search_path",
    "session_preload_libraries",
    "shared_preload_libraries",
    "temp_tablespaces",
    "unix_socket_directories",
];

/// All roles but the bootstrap superuser and the predefined ones, with their password hashes.
pub(super) async fn roles(source: &Source) -> Result<Vec<Item>> {
    let attribute =
        |column: &str, name: &str| format!("case when {column} then ' {name}' else ' no{name}' end");
    let attributes = [
        attribute("rolsuper", "superuser"),
        attribute("rolinherit", "inherit"),
        attribute("rolcreaterole", "createrole"),
        attribute("rolcreatedb", "createdb"),
        attribute("rolcanlogin", "login"),
        attribute("rolreplication", "replication"),
        attribute("rolbypassrls", "bypassrls"),
    ]
    .join(" || ");
    let create = format!(
        "select format('role %I', rolname), format($f$do $d$ begin create role %1$I;
           exception when duplicate_object then null; end $d$; alter role %1$I$f$, rolname)
         || {attributes} || format(' connection limit %s', rolconnlimit)
         || coalesce(' password ' || quote_literal(rolpassword), ' password null')
         || coalesce(' valid until ' || quote_literal(rolvaliduntil), '')
         || coalesce(format('; comment on role %I is %L', rolname, shobj_description(oid, 'pg_authid')), '')
         from pg_authid where oid <> 10 and rolname !~ '^pg_' order by oid"
    );
    source.items(&create).await
}

/// Who is a member of which role. From 16 on every membership has its own options and a grantor that counts.
pub(super) async fn memberships(source: &Source) -> Result<Vec<Item>> {
    let options = source.since(
        16,
        "format(' with admin %s, inherit %s, set %s granted by %s', case when admin_option then 'true' else 'false' end,
         case when inherit_option then 'true' else 'false' end, case when set_option then 'true' else 'false' end,
         grantor::regrole)",
        "case when admin_option then ' with admin option' else '' end",
    );
    let sql = format!(
        "select format('membership of %s in %s', member::regrole, roleid::regrole),
           format('grant %s to %s', roleid::regrole, member::regrole) || {options}
         from pg_auth_members where member <> 10 order by (grantor = 10) desc, roleid, member"
    );
    source.items(&sql).await
}

/// The databases, their owners, limits and privileges; not what is in them.
pub(super) async fn databases(source: &Source, green: &Server) -> Result<Vec<Item>> {
    let present = green.query("postgres", "select datname from pg_database").await?;
    let present: Vec<String> = present.into_iter().flatten().flatten().collect();
    let provider = match source.major {
        17.. => {
            "format(' locale_provider %s', case datlocprovider when 'i' then 'icu' when 'b' then 'builtin' else 'libc' end)
             || case when datlocale is null then '' when datlocprovider = 'b' then format(' builtin_locale %L', datlocale)
                else format(' icu_locale %L', datlocale) end
             || coalesce(' icu_rules ' || quote_literal(daticurules), '')"
        }
        15.. => {
            "format(' locale_provider %s', case datlocprovider when 'i' then 'icu' else 'libc' end)
             || coalesce(' icu_locale ' || quote_literal(daticulocale), '')"
        }
        _ => "''",
    };
    let rows = source
        .rows(&format!(
            "select datname, format('create database %I template template0 encoding %L lc_collate %L lc_ctype %L',
               datname, pg_encoding_to_char(encoding), datcollate, datctype) || {provider} from pg_database
             where datname not in ('template0', 'template1', 'postgres') order by oid"
        ))
        .await?;
    let mut items = Vec::new();
    for row in rows {
        let [Some(name), Some(create)] = row.as_slice() else {
            continue;
        };
        if !present.contains(name) {
            items.push(Item::new(format!("database {}", ident(name)), create));
        }
    }
    let attributes = "select format('attributes of database %I', datname),
          format('alter database %1$I owner to %2$s; alter database %1$I connection limit %3$s;
            alter database %1$I is_template %4$s; alter database %1$I allow_connections %5$s', datname, datdba::regrole,
            greatest(datconnlimit, -1), case when datistemplate then 'true' else 'false' end,
            case when datallowconn then 'true' else 'false' end)
          || coalesce(format('; comment on database %I is %L', datname, shobj_description(oid, 'pg_database')), '')
        from pg_database where datname <> 'template0'";
    items.append(&mut source.items(attributes).await?);
    let acl = grants(
        "select 'database' as keyword, format('%I', datname) as identity, datdba as owner, datacl as acl, 'd' as kind
         from pg_database where datname <> 'template0'",
    );
    items.append(&mut source.items(&acl).await?);
    if source.major >= 15 {
        let acl = grants(
            "select 'parameter' as keyword, format('%I', parname) as identity, 10::oid as owner, paracl as acl, 'p' as kind
             from pg_parameter_acl",
        );
        items.append(&mut source.items(&acl).await?);
    }
    Ok(items)
}

/// `ALTER ROLE … SET` and `ALTER DATABASE … SET`.
pub(super) async fn settings(source: &Source) -> Result<Vec<Item>> {
    let rows = source
        .rows(
            "select case when setrole = 0 then format('database %I', datname)
               when setdatabase = 0 then format('role %s', setrole::regrole)
               else format('role %s in database %I', setrole::regrole, datname) end,
             split_part(c, '=', 1), substr(c, strpos(c, '=') + 1)
             from pg_db_role_setting left join pg_database d on d.oid = setdatabase, unnest(setconfig) c
             where setrole <> 10 and coalesce(datname, '') <> 'template0'",
        )
        .await?;
    Ok(rows
        .into_iter()
        .filter_map(|row| {
            let [Some(whose), Some(name), Some(value)] = row.as_slice() else {
                return None;
            };
            let statement = format!(
                "alter {whose} set {} to {}",
                ident(name),
                setting_value(name, value)
            );
            Some(Item::new(format!("setting {name} of {whose}"), statement))
        })
        .collect())
}

/// The value as SQL; the elements of a list one by one.
fn setting_value(name: &str, value: &str) -> String {
    if !LISTS.contains(&name.to_ascii_lowercase().as_str()) {
        return literal(value);
    }
    let parts: Vec<String> = split_list(value).iter().map(|part| literal(part)).collect();
    if parts.is_empty() {
        "''".to_owned()
    } else {
        parts.join(", ")
    }
}

/// Splits `a, "B ""c"""` at commas outside quotes and takes the quotes off.
fn split_list(value: &str) -> Vec<String> {
    let mut parts = Vec::new();
    let mut part = String::new();
    let mut quoted = false;
    let mut was_quoted = false;
    let mut characters = value.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                part.push('"');
            }
            '"' => {
                quoted = !quoted;
                was_quoted = true;
            }
            ',' if !quoted => {
                parts.push(std::mem::take(&mut part));
                was_quoted = false;
            }
            space if !quoted && space.is_whitespace() => {}
            other => part.push(other),
        }
    }
    if was_quoted || !part.is_empty() || !parts.is_empty() {
        parts.push(part);
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_names_are_quoted_one_by_one() {
        assert_eq!(
            setting_value("search_path", r#""$user", public, "a, ""b""""#),
            r#"'$user', 'public', 'a, "b"'"#
        );
        assert_eq!(setting_value("search_path", r#""""#), "''");
        assert_eq!(setting_value("search_path", ""), "''");
        assert_eq!(setting_value("work_mem", "a, b"), "'a, b'");
        assert_eq!(setting_value("application_name", r"it's \"), r" E'it''s \\'");
    }
}
