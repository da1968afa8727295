// Package shift is the state machine of one move of traffic: from a plan, a state and
// an observation it decides what to do next. It is pure: no I/O, no clock, no context;
// time comes as Observation.Now.
package shift
