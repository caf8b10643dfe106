//! Which zones' abbreviations a server does not read as what it wrote: all of them, and no other, are in the list of `zone-names`.

use std::collections::BTreeSet;

use sandbox::pg::{Server, ServerOptions, block_on};

/// Writes a winter's and a summer's moment in every zone, and reads them again.
const MISREAD: &str = r"
    create function misread(zone text) returns boolean language plpgsql as $$
    declare
        moment timestamptz;
        written text;
    begin
        perform set_config('datestyle', 'SQL, DMY', true);
        perform set_config('timezone', zone, true);
        foreach moment in array array['2026-01-15 12:00+00', '2026-07-15 12:00+00']::timestamptz[] loop
            written := moment::text;
            begin
                if written::timestamptz <> moment then
                    return true;
                end if;
            exception when others then
                return true;
            end;
        end loop;
        return false;
    end $$";

#[test]
fn the_list_is_what_a_server_reads() {
    block_on(async {
        let server = Server::start(ServerOptions::new(14)).await.expect("a server");
        server.execute("postgres", MISREAD).await.expect("a function");
        let asked = "select name from pg_timezone_names where name <> 'localtime' and misread(name)";
        let rows = server.query("postgres", asked).await.expect("zones");
        let read: BTreeSet<String> = rows.iter().filter_map(|row| row[0].clone()).collect();
        let listed: BTreeSet<String> = include_str!("../../../data/misread-zones.txt")
            .lines()
            .filter(|line| !line.starts_with('#'))
            .map(str::to_owned)
            .collect();
        assert_eq!(read, listed);
    });
}
