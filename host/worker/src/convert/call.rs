//! A call of one export of one instance.
//!
//! Owns: the pairing of a function with its signature. May not know: deadlines, cancellation,
//! outcomes; an error here costs the Store, and why is for the caller to say.

use std::marker::PhantomData;
use std::sync::Arc;

use wasmtime::component::{
    Accessor, AsAccessor, Func, GuestTaskId, HasSelf, ResourceAny, ResourceType, TypedFunc,
    TypedFuncCallConcurrent,
};
use wasmtime::{AsContext, AsContextMut, Result};

use super::abi::{CborArgs, CborRet};
use super::arguments::Arguments;
use super::check::Wants;
use super::element::Element;
use super::error::{ArgumentError, Mismatch};
use super::handle::Attachment;
use super::shape::Compiler;
use super::signature::Signature;

/// What a function returned.
#[derive(Debug)]
pub struct Reply {
    /// Whether it is the error of a function that returns a `result`; else it is the value.
    pub raised: bool,
    /// One CBOR value; `null` where there is none.
    pub body: Vec<u8>,
    /// What the body names by index, in the order it is met.
    pub attachments: Vec<Attachment>,
}

/// An export of an instance, ready to be called.
#[derive(Clone, Debug)]
pub struct TypedCall {
    func: Func,
    signature: Arc<Signature>,
    /// What each resource type of the signature is in this instance.
    resources: Box<[ResourceType]>,
}

macro_rules! by_flat_count {
    ($count:expr, $n:ident => $body:expr; $($value:literal)*) => {
        match $count {
            $($value => { const $n: usize = $value; $body })*
            _ => { const $n: usize = 17; $body }
        }
    };
    ($count:expr, $n:ident => $body:expr) => {
        by_flat_count!($count, $n => $body; 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16)
    };
}

macro_rules! started {
    ($($name:ident = $n:literal)*) => {
        /// A call that has been handed to its instance.
        ///
        /// Dropping it does not end the call; only dropping the Store does.
        pub struct Started<T: 'static>(Pending<T>);

        enum Pending<T: 'static> {
            $($name(
                TypedFunc<CborArgs, CborRet<$n>>,
                TypedFuncCallConcurrent<T, CborArgs, CborRet<$n>>,
            ),)*
        }

        $(impl<T: 'static> From<(
            TypedFunc<CborArgs, CborRet<$n>>,
            TypedFuncCallConcurrent<T, CborArgs, CborRet<$n>>,
        )> for Started<T> {
            fn from((func, call): (
                TypedFunc<CborArgs, CborRet<$n>>,
                TypedFuncCallConcurrent<T, CborArgs, CborRet<$n>>,
            )) -> Started<T> {
                Started(Pending::$name(func, call))
            }
        })*

        impl<T: Send + 'static> Started<T> {
            /// The guest task the call became, to be met again in `async_call_stack`.
            pub fn task(&self) -> GuestTaskId {
                match &self.0 { $(Pending::$name(_, call) => call.task(),)* }
            }

            /// Waits for the call to return. Polled only while the Store's `run_concurrent` is, but
            /// it may outlive one and go on in the next.
            ///
            /// # Errors
            /// If the guest trapped or gave back what is not of its type. The Store is then dead.
            pub async fn finish(self) -> Result<Reply> {
                match self.0 {
                    $(Pending::$name(func, call) => {
                        func.finish_call_concurrent(Detached::<T>(PhantomData), call)
                            .await
                            .map(Reply::from)
                    })*
                }
            }
        }
    };
}

/// Stands in for the accessor that the engine takes to finish a call and has no use for: a borrowed
/// one would tie a call to one turn of `run_concurrent`.
struct Detached<T>(PhantomData<fn() -> T>);

impl<T: Send + 'static> AsAccessor for Detached<T> {
    type Data = T;
    type AccessorData = HasSelf<T>;

    fn as_accessor(&self) -> &Accessor<T> {
        unreachable!("wasmtime 48 finishes a call without its accessor")
    }
}

started! {
    N0 = 0 N1 = 1 N2 = 2 N3 = 3 N4 = 4 N5 = 5 N6 = 6 N7 = 7 N8 = 8 N9 = 9 N10 = 10 N11 = 11
    N12 = 12 N13 = 13 N14 = 14 N15 = 15 N16 = 16 Heap = 17
}

impl<T: Send + 'static> std::fmt::Debug for Started<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Started").field(&self.task()).finish()
    }
}

impl TypedCall {
    /// Pairs an instance's function with the signature made from its type at load.
    ///
    /// # Errors
    /// If they do not belong together.
    pub fn bind(store: impl AsContext, func: Func, signature: Arc<Signature>) -> Result<TypedCall> {
        let mut resources = Box::default();
        if !signature.resources().is_empty() {
            let mut compiler = Compiler::new();
            for (_, ty) in func.ty(&store).params() {
                compiler.shape(&ty)?;
            }
            resources = compiler.resources.into();
        }
        by_flat_count!(signature.flat_results(), N => {
            func.typed::<CborArgs, CborRet<N>>(&store)?;
        });
        Ok(TypedCall {
            func,
            signature,
            resources,
        })
    }

    /// The signature arguments are to be checked by.
    pub fn signature(&self) -> &Arc<Signature> {
        &self.signature
    }

    /// Joins checked arguments with their attachments, in the order of the table they were checked
    /// with.
    ///
    /// What cannot be seen here the caller answers for: that each resource is alive, belongs to
    /// this Store and, where it is consumed, is not lent to another running call; that it stays so
    /// until the call has ended; that no stream or future is passed twice; and that what the body
    /// does not use is not left open.
    ///
    /// # Errors
    /// If an attachment is not of the type its use asks for.
    pub fn attach(
        &self,
        arguments: Arguments,
        attachments: Vec<Attachment>,
    ) -> Result<CborArgs, ArgumentError> {
        for (index, wants) in arguments.uses.iter().enumerate() {
            let Some(wants) = wants else { continue };
            let fits = match (wants, attachments.get(index)) {
                (Wants::Own(ty), Some(Attachment::Resource(resource))) => {
                    resource.owned() && self.is(resource, *ty)
                }
                (Wants::Borrow(ty), Some(Attachment::Resource(resource))) => self.is(resource, *ty),
                (Wants::Stream(item), Some(Attachment::Stream(stream))) => {
                    let wanted = Element::of_stream(item.clone());
                    stream
                        .element
                        .as_ref()
                        .is_some_and(|element| element.is(&wanted))
                }
                (Wants::Future(item), Some(Attachment::Future(future))) => {
                    let wanted = Element::of_future(item.clone());
                    future
                        .element
                        .as_ref()
                        .is_some_and(|element| element.is(&wanted))
                }
                _ => false,
            };
            if !fits {
                let what = format!("attachment {index} is not of the type the function takes");
                return Err(Mismatch::new(what).in_arguments());
            }
        }
        Ok(CborArgs {
            arguments,
            attachments,
        })
    }

    /// Whether a resource is of the type that `ty` of the signature is in this instance.
    fn is(&self, resource: &ResourceAny, ty: ResourceType) -> bool {
        let mut here = self.signature.resources().iter().zip(&self.resources);
        here.any(|(abstract_, concrete)| *abstract_ == ty && *concrete == resource.ty())
    }

    /// Calls without concurrency: for engines and modules that have none.
    ///
    /// # Errors
    /// If the guest trapped or gave back what is not of its type. The Store is then dead.
    pub fn call(&self, mut store: impl AsContextMut, args: CborArgs) -> Result<Reply> {
        by_flat_count!(self.signature.flat_results(), N => {
            let func = self.func.typed::<CborArgs, CborRet<N>>(&store)?;
            func.call(&mut store, args).map(Reply::from)
        })
    }

    /// Calls with the whole Store to itself.
    ///
    /// # Errors
    /// If the guest trapped or gave back what is not of its type. The Store is then dead.
    pub async fn call_async(
        &self,
        mut store: impl AsContextMut<Data: Send>,
        args: CborArgs,
    ) -> Result<Reply> {
        by_flat_count!(self.signature.flat_results(), N => {
            let func = self.func.typed::<CborArgs, CborRet<N>>(&store)?;
            func.call_async(&mut store, args).await.map(Reply::from)
        })
    }

    /// Hands a call to its instance, to run beside others.
    ///
    /// # Errors
    /// If the instance cannot be entered any more. The Store is then dead.
    pub fn start<T: Send + 'static>(
        &self,
        mut store: impl AsContextMut<Data = T>,
        args: CborArgs,
    ) -> Result<Started<T>> {
        by_flat_count!(self.signature.flat_results(), N => {
            let func = self.func.typed::<CborArgs, CborRet<N>>(&store)?;
            func.start_call_concurrent(&mut store, args).map(|call| Started::from((func, call)))
        })
    }

    /// [`TypedCall::start`] and [`TypedCall::finish`].
    ///
    /// # Errors
    /// As theirs.
    pub async fn call_concurrent<T: Send + 'static>(
        &self,
        accessor: impl AsAccessor<Data = T>,
        args: CborArgs,
    ) -> Result<Reply> {
        accessor
            .as_accessor()
            .with(|store| self.start(store, args))?
            .finish()
            .await
    }
}

impl<const N: usize> From<CborRet<N>> for Reply {
    fn from(ret: CborRet<N>) -> Reply {
        let CborRet { lifted, raised } = ret;
        Reply {
            raised,
            body: lifted.body,
            attachments: lifted.attachments,
        }
    }
}
