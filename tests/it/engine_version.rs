//! Aurora's own word of its version is asked by a text, since a plain server has no such function: here one has it.

use greenlight::{
    checks,
    model::{Engine, Phase},
    policy::Policy,
    verdict::Verdict,
};
use sandbox::pg::{Server, ServerOptions, block_on};

use crate::support::{Wanted, checking_role, collect, spec};

#[test]
fn the_patch_is_read_where_the_server_tells_it() {
    block_on(async {
        let server = Server::start(ServerOptions::new(14)).await.expect("a server");
        checking_role(&server).await;
        let function = "create function pg_catalog.aurora_version() returns varchar language sql immutable as $$select '14.9.3'::varchar$$";
        server.execute("postgres", function).await.expect("the function");
        let check = checks::find("engine-faults").expect("registered");
        let wanted = Wanted {
            check: Some(check),
            engine: Engine::Aurora,
            target: Some("16.10".parse().expect("a version")),
            phase: Some(Phase::Create),
            lag_samples: 0,
            compare_rows: Vec::new(),
        };
        let (facts, situation) = collect(&spec(&server, "greenlight"), None, wanted).await;
        let verdict = check.judge(&facts, &situation, &Policy::at(facts.collected_at));
        let Verdict::Fail { findings, .. } = &verdict else {
            panic!("{verdict:?}")
        };
        assert_eq!(findings.len(), 1);
        assert!(findings[0].message.contains("14.9.3") && findings[0].message.contains("mended in 14.9.5"));
    });
}
