//! Whose flags a core looks for.

use super::net::{CORES, Net};
use crate::node::{Node, Star, Tree, connect_down};
use crate::post::lanes::SLOTS;
use crate::post::{Hardware, link};
use alloc::boxed::Box;
use proto::id::CoreId;
use proto::message::ToCore;

#[test]
fn a_core_hears_those_alone_that_can_send_to_it() {
    let mut net = Net::new();
    assert_eq!(net.heard(), [4, 1, 1, 1], "core 0 hears all, all hear it");
    net.link(1, 2, 4);
    assert_eq!(net.heard(), [4, 3, 2, 1]);
    net.link(1, 3, 4);
    assert_eq!(net.heard(), [4, 4, 2, 2]);
    net.ask(1, ToCore::Unlink { peer: CoreId(3) });
    assert_eq!(net.heard(), [4, 3, 2, 2], "the other end is still there");
    net.link_down(2, 3);
    net.ask(2, ToCore::Unlink { peer: CoreId(1) });
    assert_eq!(net.heard(), [4, 3, 4, 3], "that of a tree stays");
}

#[test]
fn a_core_that_is_started_anew_hears_those_of_its_trees() {
    let net = Net::new();
    let (sender, _) = link(SLOTS);
    let (_, receiver) = link(SLOTS);
    let mut tree = Tree::new(CORES);
    assert!(tree.insert(CoreId(2), connect_down().0));
    let star = Box::leak(Box::new(Star { sender, receiver, tree }));
    let _node = Node::new(CoreId(1), CORES, net.here(1), Some(star));
    assert_eq!(net.heard()[1], 3);
}

#[test]
fn a_flag_that_a_peer_raises_before_its_link_is_there_is_found_when_it_is() {
    let mut net = Net::new();
    net.here(3).raise(CoreId(1));
    assert!(!net.seat(1).pass(), "nobody is there to be heard");
    net.link(1, 3, 4);
    assert_eq!(
        net.here(1).next_raised(0),
        None,
        "it was found in the pass after the link was made"
    );
    net.here(2).raise(CoreId(1));
    net.ask(1, ToCore::Unlink { peer: CoreId(3) });
    net.link(1, 2, 4);
    assert_eq!(net.here(1).next_raised(0), None);
}
