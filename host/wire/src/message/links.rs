//! Which frame may cross which link, and what of its header means something there.

use super::Link;
use crate::frame::Kind;

impl Kind {
    /// Small messages whose order among those of their call does not matter.
    pub(crate) fn passes_by(self) -> bool {
        matches!(
            self,
            Kind::Credit | Kind::Cancel | Kind::Ping | Kind::Pong | Kind::Release
        )
    }

    /// Whether a message of this kind opens its call at the peer: what names the call comes behind.
    pub(crate) fn opens_call(self) -> bool {
        matches!(self, Kind::Call | Kind::Dispatch)
    }

    /// Which numbers of the header mean something: call, stream, items. The others are zero.
    pub(super) fn numbers(self, link: Link) -> (bool, bool, bool) {
        match self {
            Kind::Hello
            | Kind::Welcome
            | Kind::Refused
            | Kind::Release
            | Kind::Start
            | Kind::Ready
            | Kind::Failed
            | Kind::Drain
            | Kind::Compiled => (false, false, false),
            Kind::Log => (link != Link::HostToClient, false, false),
            Kind::Request
            | Kind::Response
            | Kind::Call
            | Kind::Dispatch
            | Kind::Cancel
            | Kind::Outcome
            | Kind::Ended
            | Kind::Ping
            | Kind::Pong => (true, false, false),
            Kind::End | Kind::Close | Kind::Callback | Kind::Answer => (true, true, false),
            Kind::Items | Kind::Credit => (true, true, true),
        }
    }

    pub(super) fn crosses(self, link: Link) -> bool {
        use Link::{
            ClientToHost as Up, HostToClient as Down, HostToWorker as In, WorkerToHost as Out,
        };
        let links: &[Link] = match self {
            Kind::Hello | Kind::Request | Kind::Call => &[Up],
            Kind::Welcome | Kind::Refused | Kind::Response => &[Down],
            Kind::Log => &[Down, Out],
            Kind::Dispatch | Kind::Start | Kind::Drain | Kind::Ping => &[In],
            Kind::Ended | Kind::Ready | Kind::Failed | Kind::Pong | Kind::Compiled => &[Out],
            Kind::Cancel | Kind::Answer | Kind::Release => &[Up, In],
            Kind::Outcome | Kind::Callback => &[Down, Out],
            Kind::Items | Kind::End | Kind::Credit | Kind::Close => &[Up, Down, In, Out],
        };
        links.contains(&link)
    }
}
