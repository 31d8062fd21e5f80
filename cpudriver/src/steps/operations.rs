//! The list of what is measured.

use super::scenes::Scene;

/// What may be demanded of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// It answers a message: constant in time, and it allocates nothing.
    Message,
    /// It goes through a list, 64 entries at most, and allocates nothing.
    Slice,
    /// Something begins or ends to exist, so memory is allocated or freed.
    Lifetime,
}

impl Class {
    /// The class in one word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::Slice => "slice",
            Self::Lifetime => "lifetime",
        }
    }
}

/// A kind of step.
#[derive(Clone, Copy, Debug)]
pub struct Operation {
    /// What it is called in results.
    pub name: &'static str,
    /// What may be demanded of it.
    pub class: Class,
    pub(super) scene: Scene,
}

const fn message(name: &'static str, scene: Scene) -> Operation {
    Operation { name, class: Class::Message, scene }
}

const fn slice(name: &'static str, scene: Scene) -> Operation {
    Operation { name, class: Class::Slice, scene }
}

const fn lifetime(name: &'static str, scene: Scene) -> Operation {
    Operation { name, class: Class::Lifetime, scene }
}

/// All of them. The names are those under which the scenes take the steps.
pub static OPERATIONS: &[Operation] = &[
    message("poke-granted", Scene::Grant),
    message("poke-continued", Scene::Grant),
    message("started", Scene::Grant),
    message("yield", Scene::Grant),
    message("released", Scene::Grant),
    message("poke-queued", Scene::Queue),
    message("poke-withdrawn", Scene::Queue),
    message("preempt", Scene::Preempt),
    message("preempted-regranted", Scene::Preempt),
    message("preempted-continued", Scene::Preempt),
    message("preempt-warned", Scene::Warn),
    message("tick-warning-over", Scene::Warn),
    message("warning-over-continued", Scene::Warn),
    message("tick-share", Scene::Share),
    message("share-taken", Scene::Share),
    message("share-handed-over", Scene::Share),
    message("started-regranted", Scene::Share),
    message("started-continued", Scene::Share),
    message("poke-reclaims", Scene::Reclaim),
    message("reclaim-taken", Scene::Reclaim),
    message("reclaim-handed-over", Scene::Reclaim),
    message("provision", Scene::Provision),
    message("change-vcore", Scene::Change),
    message("started-after-change", Scene::Change),
    message("notify-vcore", Scene::Notify),
    message("notify-vcore-merged", Scene::Notify),
    message("notified-again", Scene::Notify),
    message("notified", Scene::Notify),
    message("notify-process-wakes", Scene::Single),
    message("yield-switches", Scene::Single),
    message("yield-single", Scene::Single),
    message("tick-slice-over", Scene::Slice),
    message("preempted-next", Scene::Slice),
    message("started-single", Scene::Slice),
    message("wait-no-hang", Scene::Wait),
    message("wait", Scene::Wait),
    message("abort-call", Scene::Wait),
    message("read", Scene::Pipe),
    message("write", Scene::Pipe),
    message("copied-to-reader", Scene::Pipe),
    message("pipe-continued", Scene::Pipe),
    message("copied", Scene::PipeAhead),
    message("read-at-once", Scene::PipeAhead),
    message("print", Scene::Print),
    message("copied-printed", Scene::Print),
    message("keys", Scene::Keys),
    message("keys-continued", Scene::Keys),
    message("set-alarm", Scene::Alarm),
    message("tick-alarm", Scene::Alarm),
    message("cancel-alarm", Scene::Alarm),
    message("sleep", Scene::Sleep),
    message("tick-sleep", Scene::Sleep),
    message("await-event", Scene::Await),
    message("notify-process-answers", Scene::Await),
    message("set-handle", Scene::Handle),
    message("set-queue", Scene::Queues),
    message("send-event", Scene::Queues),
    message("enqueued", Scene::Queues),
    message("notify-process-to-queue", Scene::Queues),
    message("set-user", Scene::Family),
    message("copied-user", Scene::Family),
    message("share", Scene::Family),
    message("hand-on", Scene::Family),
    message("run", Scene::Family),
    message("abort-handle", Scene::AbortHandle),
    message("map", Scene::UnmapOne),
    message("protect", Scene::UnmapOne),
    message("unmap", Scene::UnmapOne),
    message("shootdown-done", Scene::UnmapOne),
    message("shootdown-done-of-many", Scene::UnmapMany),
    message("map-behind", Scene::MapBehind),
    message("map-in-front", Scene::MapInFront),
    message("map-between", Scene::MapBetween),
    message("protect-part", Scene::ProtectPart),
    message("protect-part-back", Scene::ProtectPart),
    message("unmap-part", Scene::UnmapPart),
    message("unmap-one-of-all", Scene::UnmapOneOfAll),
    message("unmapped-one-of-all", Scene::UnmapOneOfAll),
    message("fault", Scene::Miss),
    message("reflect", Scene::Reflect),
    message("tick-heartbeat", Scene::Heartbeat),
    message("pong", Scene::Heartbeat),
    message("stale", Scene::Stale),
    message("released-dying", Scene::Kill),
    message("become-many", Scene::Kill),
    message("preempted-becomes-many", Scene::Kill),
    slice("unmap-many", Scene::UnmapMany),
    slice("unmap-continued", Scene::UnmapMany),
    slice("shootdown-done-last", Scene::UnmapMany),
    slice("released-together", Scene::Kill),
    slice("unmap-all", Scene::UnmapAll),
    slice("unmap-all-continued", Scene::UnmapAll),
    slice("dup-handles", Scene::Family),
    slice("abort-handle-of-many", Scene::AbortHandleOfMany),
    slice("share-continued", Scene::Family),
    slice("list", Scene::List),
    lifetime("create", Scene::Create),
    lifetime("spawn", Scene::Create),
    lifetime("destroy", Scene::Create),
    lifetime("wait-reaps", Scene::Create),
    lifetime("exit", Scene::Family),
    lifetime("open-pipe", Scene::OpenPipe),
    lifetime("close", Scene::OpenPipe),
    lifetime("kill", Scene::Kill),
    lifetime("kill-continued", Scene::Kill),
    lifetime("released-last", Scene::Kill),
];
