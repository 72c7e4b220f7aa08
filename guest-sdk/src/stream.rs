//! Streams: those a function takes, and a way to write those it returns.

use std::cell::RefCell;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use futures_util::{Stream as AnyStream, StreamExt, stream};

/// The stream that an exported function takes as a parameter: items that the caller sends.
///
/// It is a [`futures::Stream`](AnyStream) of a known type. Dropping it tells the caller to stop.
pub struct Stream<T>(Pin<Box<dyn AnyStream<Item = T>>>);

impl<T> Stream<T> {
    /// Makes one of any other stream.
    pub fn new(stream: impl AnyStream<Item = T> + 'static) -> Self {
        Self(Box::pin(stream))
    }

    /// The next item; `None` when the caller has sent all.
    pub async fn next(&mut self) -> Option<T> {
        StreamExt::next(&mut self.0).await
    }
}

impl<T> AnyStream for Stream<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.0.as_mut().poll_next(cx)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl<T> fmt::Debug for Stream<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stream")
    }
}

impl<T: 'static> FromIterator<T> for Stream<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        Self::new(stream::iter(items.into_iter().collect::<Vec<T>>()))
    }
}

impl<T: 'static> From<Vec<T>> for Stream<T> {
    fn from(items: Vec<T>) -> Self {
        Self::new(stream::iter(items))
    }
}

/// A stream written as an async function that sends its items.
///
/// ```
/// use std::time::Duration;
/// use proc_guest::{stream, time};
///
/// fn tick(n: u32) -> stream::Generated<u32> {
///     stream::generate(async move |mut items| {
///         for i in 0..n {
///             time::sleep(Duration::from_millis(10)).await;
///             items.send(i).await;
///         }
///     })
/// }
/// ```
///
/// Nothing runs ahead of the reader: `send` returns when the item is taken and the next is wanted,
/// and when the reader is gone, the function is dropped where it stands.
pub fn generate<T, F>(write: impl FnOnce(Items<T>) -> F) -> Generated<T>
where
    T: 'static,
    F: Future<Output = ()> + 'static,
{
    let place = Rc::new(RefCell::new(Place {
        item: None,
        sender: None,
    }));
    let writer = write(Items(Rc::clone(&place)));
    Generated {
        writer: Some(Box::pin(writer)),
        place,
    }
}

/// What [`generate`] makes.
pub struct Generated<T> {
    /// Gone when it has returned.
    writer: Option<Pin<Box<dyn Future<Output = ()>>>>,
    place: Rc<RefCell<Place<T>>>,
}

/// Where an item waits to be taken; there is room for one.
struct Place<T> {
    item: Option<T>,
    /// Who waits for the room.
    sender: Option<Waker>,
}

/// The sending end of [`generate`].
pub struct Items<T>(Rc<RefCell<Place<T>>>);

impl<T> Items<T> {
    /// Sends `item`, and returns when it is taken and the next is wanted.
    pub async fn send(&mut self, item: T) {
        let mut item = Some(item);
        poll_fn(|cx| {
            let mut place = self.0.borrow_mut();
            if place.item.is_none() {
                match item.take() {
                    Some(item) => place.item = Some(item),
                    None => return Poll::Ready(()),
                }
            }
            place.sender = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

impl<T> AnyStream for Generated<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        if let Some(writer) = &mut self.writer
            && writer.as_mut().poll(cx).is_ready()
        {
            self.writer = None;
        }
        let mut place = self.place.borrow_mut();
        match place.item.take() {
            Some(item) => {
                // The sender may be polled only when it is woken.
                if let Some(sender) = place.sender.take() {
                    sender.wake();
                }
                Poll::Ready(Some(item))
            }
            None if self.writer.is_none() => Poll::Ready(None),
            None => Poll::Pending,
        }
    }
}

// Everything in it is boxed or counted; nothing relies on where it lies.
impl<T> Unpin for Generated<T> {}

impl<T> fmt::Debug for Generated<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Generated")
            .field("ended", &self.writer.is_none())
            .finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Items<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Items")
    }
}
