//! The kiosk.
#![no_std]
