//! What an inventory takes from a talconfig.
