//! Breadth-first search over a [`Setup`]: every situation once, the shortest way to a broken promise, and whether an end
//! can be reached from everywhere.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::rc::Rc;

use greenlight::switchover::machine::State;
use greenlight::switchover::outcome::Outcome;

use super::model::{Globe, Setup, Violation};

/// What an exploration found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) states: usize,
    pub(super) edges: usize,
    /// The first broken promise, with the way there.
    pub(super) violation: Option<(Violation, String)>,
    /// A situation from which no end can be reached, with the way there.
    pub(super) dead_end: Option<String>,
    /// How often each kind of end was reached.
    pub(super) ends: BTreeMap<u8, usize>,
    /// Ends of kind 22 by their reason.
    pub(super) doubts: BTreeMap<String, usize>,
}

/// The most situations one exploration may have, lest it grow unseen.
const MOST: usize = 500_000;

/// Explores everything, or up to the first broken promise; with `wanted`, up to the first time that this one is broken.
pub(super) fn explore(setup: &Setup, wanted: Option<Violation>) -> Found {
    let mut found = Found::default();
    let mut ids: HashMap<Rc<Globe>, u32> = HashMap::new();
    let mut came: Vec<Option<(u32, u32)>> = Vec::new();
    let mut globes: Vec<Rc<Globe>> = Vec::new();
    let mut before: Vec<Vec<u32>> = Vec::new();
    let mut queue = VecDeque::new();
    let mut ends = Vec::new();

    for globe in setup.initial() {
        let globe = Rc::new(globe);
        let id = globes.len() as u32;
        ids.insert(Rc::clone(&globe), id);
        globes.push(globe);
        came.push(None);
        before.push(vec![]);
        queue.push_back(id);
    }
    while let Some(id) = queue.pop_front() {
        let globe = Rc::clone(&globes[id as usize]);
        if globe.operators.iter().all(|o| o.outcome().is_some()) {
            ends.push(id);
        }
        for (n, next) in setup.successors(&globe).into_iter().enumerate() {
            found.edges += 1;
            if let Some(violation) = next.violation {
                if wanted.is_some_and(|wanted| wanted != violation) {
                    continue;
                }
                let mut way = way(setup, &globes, &came, id);
                way.push_str(&label(setup, &globe, n));
                found.violation = Some((violation, way));
                found.states = globes.len();
                return found;
            }
            let next_id = match ids.get(&next.globe) {
                Some(id) => *id,
                None => {
                    let new = Rc::new(next.globe);
                    let new_id = globes.len() as u32;
                    ids.insert(Rc::clone(&new), new_id);
                    globes.push(new);
                    came.push(Some((id, n as u32)));
                    before.push(vec![]);
                    queue.push_back(new_id);
                    assert!(
                        globes.len() < MOST,
                        "the exploration has grown beyond {MOST} situations"
                    );
                    new_id
                }
            };
            before[next_id as usize].push(id);
        }
    }
    found.states = globes.len();

    let mut reaches = vec![false; globes.len()];
    let mut queue: VecDeque<u32> = ends.iter().copied().collect();
    for id in &ends {
        reaches[*id as usize] = true;
        for outcome in globes[*id as usize].operators.iter().filter_map(|o| o.outcome()) {
            *found.ends.entry(outcome.exit_code()).or_default() += 1;
            if let Outcome::Unknown { reason } = outcome {
                *found
                    .doubts
                    .entry(format!("{reason:?}").chars().take(14).collect())
                    .or_default() += 1;
            }
        }
    }
    while let Some(id) = queue.pop_front() {
        for earlier in &before[id as usize] {
            if !std::mem::replace(&mut reaches[*earlier as usize], true) {
                queue.push_back(*earlier);
            }
        }
    }
    found.dead_end = reaches.iter().position(|reaches| !reaches).map(|id| {
        let states: Vec<&Option<State>> = globes[id].operators.iter().map(|o| &o.state).collect();
        format!("{}  in {states:?}", way(setup, &globes, &came, id as u32))
    });
    found
}

fn way(setup: &Setup, globes: &[Rc<Globe>], came: &[Option<(u32, u32)>], mut id: u32) -> String {
    let mut labels = Vec::new();
    while let Some((earlier, n)) = &came[id as usize] {
        labels.push(label(setup, &globes[*earlier as usize], *n as usize));
        id = *earlier;
    }
    labels.reverse();
    labels.concat()
}

/// The name of a transition: made only now, as there are very many of them.
fn label(setup: &Setup, globe: &Globe, n: usize) -> String {
    let named = Setup {
        labels: true,
        ..setup.clone()
    };
    format!("  {}\n", named.successors(globe)[n].label)
}
