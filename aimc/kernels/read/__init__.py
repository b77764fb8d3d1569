"""Reads executed: conversion, plans, recurrent cells over many steps."""
