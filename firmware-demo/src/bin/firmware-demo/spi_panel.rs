//! A panel made of software: what goes over the bus is decoded back into the picture.
