//! To be described.
#![no_std]
