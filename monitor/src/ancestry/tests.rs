use super::{Ancestry, LONGEST_CHAIN};
use crate::process::{Name, ProcessId};
use crate::table::Table;
use alloc::vec::Vec;
use proptest::prelude::*;

fn root(table: &mut Table) -> ProcessId {
    table.insert(Name::default(), 0).unwrap()
}

fn child(table: &mut Table, parent: ProcessId) -> Option<ProcessId> {
    let ancestry = table.ancestry_below(table.at(parent.pid))?;
    let made = root(table);
    table.at_mut(made.pid).ancestry = ancestry;
    Some(made)
}

fn comes_from(table: &Table, one: ProcessId, other: ProcessId) -> bool {
    table.at(one.pid).comes_from(table.at(other.pid))
}

/// Some processes under each other, the eldest first.
fn chain(table: &mut Table, count: usize) -> Vec<ProcessId> {
    let mut all = Vec::from([root(table)]);
    while all.len() < count {
        let parent = all[all.len() - 1];
        all.push(child(table, parent).expect("the chain is not too long"));
    }
    all
}

#[test]
fn a_chain_of_living_ancestors_has_an_end_and_goes_on_where_one_of_them_has_ended() {
    let mut table = Table::new(100);
    let all = chain(&mut table, LONGEST_CHAIN);
    let youngest = all[LONGEST_CHAIN - 1];
    assert!(!table.may_have_children(table.at(youngest.pid)));
    assert_eq!(child(&mut table, youngest), None);
    table.remove(all[7].pid);
    assert!(table.may_have_children(table.at(youngest.pid)));
    let new = child(&mut table, youngest).expect("one has ended");
    for ancestor in all.iter().filter(|&&it| it != all[7]) {
        assert!(comes_from(&table, new, *ancestor), "{ancestor:?}");
    }
}

#[test]
fn who_is_succeeded_by_a_child_again_and_again_does_not_come_to_an_end() {
    let mut table = Table::new(4);
    let first = root(&mut table);
    let mut last = child(&mut table, first).unwrap();
    for _ in 0..3 * LONGEST_CHAIN {
        let next = child(&mut table, last).expect("only two of them live at a time");
        table.remove(last.pid);
        last = next;
        assert!(comes_from(&table, last, first) && !comes_from(&table, first, last));
    }
}

#[test]
fn who_has_the_pid_of_an_ancestor_that_has_ended_is_none() {
    let mut table = Table::new(2);
    let old = root(&mut table);
    let young = child(&mut table, old).unwrap();
    table.remove(old.pid);
    let other = root(&mut table);
    assert_eq!((other.pid, table.at(other.pid).ancestry.rank), (old.pid, 0), "as the old one");
    assert!(!comes_from(&table, young, other) && !comes_from(&table, other, young));
    assert_eq!(table.ancestry_below(table.at(young.pid)).map(|it| it.taken), Some(2));
}

#[test]
fn one_without_a_parent_comes_from_nobody_and_nobody_from_itself() {
    let mut table = Table::new(2);
    let (one, other) = (root(&mut table), root(&mut table));
    assert_eq!(table.at(one.pid).ancestry, Ancestry::NONE);
    for (one, other) in [(one, other), (other, one), (one, one)] {
        assert!(!comes_from(&table, one, other));
    }
}

proptest! {
    #[test]
    fn a_process_comes_from_those_whose_descendants_made_it(
        deeds in prop::collection::vec((0u8..6, any::<prop::sample::Index>()), 0..120),
    ) {
        let mut table = Table::new(12);
        // Those that live, and by whom each was made, the eldest first.
        let mut all: Vec<(ProcessId, Vec<ProcessId>)> = Vec::new();
        for (what, which) in deeds {
            if what == 0 && !all.is_empty() {
                let (gone, _) = all.swap_remove(which.index(all.len()));
                table.remove(gone.pid);
            } else if !table.is_full() {
                let parent = (what > 1 && !all.is_empty()).then(|| &all[which.index(all.len())]);
                let made = match parent {
                    Some((parent, above)) => {
                        let mut above = above.clone();
                        above.push(*parent);
                        (child(&mut table, *parent).unwrap(), above)
                    }
                    None => (root(&mut table), Vec::new()),
                };
                all.push(made);
            }
            for (one, above) in &all {
                for (other, _) in &all {
                    prop_assert_eq!(comes_from(&table, *one, *other), above.contains(other));
                }
            }
        }
    }
}
