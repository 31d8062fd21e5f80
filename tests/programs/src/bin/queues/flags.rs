//! Each flag: who is told.

use super::stage::{Stage, Word, comes_true, give_way, send, send_about};
use core::hint::spin_loop;
use core::sync::atomic::Ordering;
use user::proto::program::data;
use user::queue::{EventQueue, OfVcore, Ring, flag};
use user::raw::page;
use user::{Error, info, threads};

const TOLD: u16 = flag::IPI | flag::INDIR;

/// All of them.
pub(crate) fn all(stage: &mut Stage) -> Result<(), Error> {
    ipi(stage)?;
    indir(stage)?;
    appropriate(stage)?;
    in_turn(stage)?;
    without_a_core(stage)
}

fn ipi(stage: &mut Stage) -> Result<(), Error> {
    let other = stage.other();
    let queue = EventQueue::new(flag::IPI, OfVcore);
    queue.set_vcore(other);
    let once = (other, Word::Event, 1);
    stage.hears("IPI: a vcore that runs is entered", once, || send(&queue, 1))?;
    queue.set_flags(0);
    stage.hears_nothing("without IPI it runs on", || send(&queue, 2))?;
    stage.hears("and has it when it looks", once, || {
        give_way(other);
        Ok(())
    })
}

fn indir(stage: &mut Stage) -> Result<(), Error> {
    let other = stage.other();
    let queue = EventQueue::new(TOLD, Ring::new(8));
    queue.set_vcore(other);
    let (once, twice) = ((other, Word::Queue, 1), (other, Word::Queue, 2));
    stage.hears("INDIR: a vcore hears of the queue", once, || send(&queue, 1))?;
    stage.hears_nothing("and of no more until somebody has looked", || send(&queue, 2))?;
    let taken: [_; 3] = core::array::from_fn(|_| queue.take().map(|event| event.value));
    stage.check("all events lie in the queue", taken == [Some(1), Some(2), None]);
    stage.hears("then it hears again", once, || send(&queue, 3))?;
    queue.set_flags(TOLD | flag::NOTHROTTLE);
    stage.hears("NOTHROTTLE: it hears of each", twice, || {
        send(&queue, 4)?;
        send(&queue, 5)
    })?;
    queue.set_flags(flag::IPI);
    stage.hears_nothing("without INDIR events only lie there", || send(&queue, 6))?;
    let sum: u64 = core::iter::from_fn(|| queue.take()).map(|event| event.value).sum();
    stage.check("and none is lost", sum == 3 + 4 + 5 + 6);
    Ok(())
}

fn appropriate(stage: &mut Stage) -> Result<(), Error> {
    let other = stage.other();
    let queue = EventQueue::new(flag::IPI | flag::VCORE_APPRO, OfVcore);
    queue.set_vcore(threads::vcore());
    let once = (other, Word::Event, 1);
    stage.hears("VCORE_APPRO: whom it is about", once, || send_about(&queue, 1, other))?;
    queue.set_flags(flag::IPI);
    let mine = (threads::vcore(), Word::Event, 1);
    stage.hears("else whom the queue names", mine, || send_about(&queue, 2, other))
}

fn in_turn(stage: &mut Stage) -> Result<(), Error> {
    let queue = EventQueue::new(flag::IPI | flag::ROUNDROBIN, OfVcore);
    let all = stage.vcores();
    let before = Word::Event.heard();
    let each: [u64; 4] = core::array::from_fn(|vcore| Word::Event.heard_by(vcore as u16));
    for value in 0..3 * u64::from(all) {
        send(&queue, value)?;
    }
    comes_true(|| Word::Event.heard() == before + 3 * u64::from(all));
    let has_three = |vcore: u16| Word::Event.heard_by(vcore) == each[usize::from(vcore)] + 3;
    let fair = (0..all).all(has_three);
    stage.check("ROUNDROBIN: each vcore in turn", fair);
    Ok(())
}

/// Do vcores hear of it so often before long?
fn heard(word: Word, times: u64) -> bool {
    comes_true(|| word.heard() == times)
}

/// One vcore gives its core away, and what is sent to it goes there or elsewhere.
fn without_a_core(stage: &mut Stage) -> Result<(), Error> {
    let all = stage.vcores();
    stage.let_go();
    threads::want(all - 1)?;
    while info::vcores() >= all {
        threads::yield_now();
        spin_loop();
    }
    stage.hold(all - 1);
    let off = (0..all).find(|vcore| !info::place(*vcore).is_there).unwrap_or(0);
    let all_that_wait = || {
        let page = page::vcore(off.into());
        let of = |at| page.u32(at).load(Ordering::Relaxed);
        let (public, private) = (
            of(data::POSTED).wrapping_sub(of(data::TAKEN)),
            of(data::PRIVATE_POSTED).wrapping_sub(of(data::PRIVATE_TAKEN)),
        );
        (public, private)
    };
    // It may have been told something as it went.
    let before = all_that_wait();
    let waiting = || {
        let (public, private) = all_that_wait();
        (public.wrapping_sub(before.0), private.wrapping_sub(before.1))
    };
    let public = EventQueue::new(flag::IPI, OfVcore);
    public.set_vcore(off);
    stage.hears_nothing("a vcore without a core hears nothing", || send(&public, 1))?;
    stage.check("its mailbox keeps it", waiting() == (1, 0));
    public.set_flags(flag::IPI | flag::VCORE_PRIVATE);
    stage.hears_nothing("VCORE_PRIVATE: nobody else hears", || send(&public, 2))?;
    stage.check("and it is in the private mailbox", waiting() == (1, 1));
    let indirect = EventQueue::new(TOLD | flag::NOTHROTTLE, Ring::new(8));
    indirect.set_vcore(off);
    stage.hears_nothing("INDIR alone waits with its vcore", || send(&indirect, 3))?;
    stage.check("in its mailbox", waiting() == (2, 1));

    let events = Word::Event.heard();
    public.set_flags(flag::IPI | flag::SPAM_PUBLIC);
    send(&public, 4)?;
    stage.check("SPAM_PUBLIC: one that runs hears", heard(Word::Event, events + 1));
    public.set_flags(flag::IPI | flag::VCORE_MUST_RUN);
    send(&public, 5)?;
    stage.check("VCORE_MUST_RUN: one that runs hears", heard(Word::Event, events + 2));
    let queues = Word::Queue.heard();
    indirect.set_flags(TOLD | flag::NOTHROTTLE | flag::SPAM_INDIR);
    send(&indirect, 6)?;
    stage.check("SPAM_INDIR: one that runs hears", heard(Word::Queue, queues + 1));
    stage.check("and none of these waits there", waiting() == (2, 1));

    let looked_at = page::vcore(off.into()).u8(data::LOOKED_AT);
    looked_at.store(1, Ordering::Relaxed);
    public.set_flags(flag::IPI | flag::SPAM_PUBLIC);
    stage.hears_nothing("a mailbox that is looked at will do", || send(&public, 7))?;
    stage.hears_nothing("for word of a queue too", || send(&indirect, 8))?;
    stage.check("so they wait there", waiting() == (4, 1));
    public.set_flags(flag::IPI | flag::SPAM_PUBLIC | flag::VCORE_MUST_RUN);
    send(&public, 9)?;
    let told = heard(Word::Event, events + 3);
    stage.check("but not with VCORE_MUST_RUN", told && waiting() == (4, 1));
    looked_at.store(0, Ordering::Relaxed);

    // It has its core again, and looks.
    let before = (Word::Event.heard_by(off), Word::Queue.heard_by(off));
    threads::want(all)?;
    while all_that_wait() != (0, 0) {
        spin_loop();
    }
    let after = (Word::Event.heard_by(off), Word::Queue.heard_by(off));
    stage.check("all are read when it runs", after == (before.0 + 3, before.1 + 2));
    stage.let_go();
    stage.hold(all);
    Ok(())
}
