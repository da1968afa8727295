// Package lawtest judges whole shifts by what went over the wire. A recording proxy
// between the real AWS SDK and the simulated AWS keeps every exchange; Judge reads that
// trace and the declaration, knows nothing of what the engine thought, and says which
// law of a shift was broken. Mutants of the client, the router, the analyzer and the
// plan show that it does. Everything runs in virtual time, over net.Pipe. The package is
// imported by nothing but its own tests.
//
// Where each known hazard of moving traffic is tested, by whole shifts here (L) and by
// parts elsewhere; names begin with TestS and the number:
//
//	S1   inverted rollback            L, mutant
//	S2   failure at an odd step       L
//	S3   a healthy shift flaps        L, mutant
//	S4   declared weights ignored     L, mutant
//	S5   a settled rule is written    L, mutant
//	S6   one, three, five groups      L (with S4)
//	S7   conditions with weights      L, mutant; router/elbv2
//	S8   order of conditions          L; router/elbv2
//	S9   stickiness, authentication   L (stickiness), mutant; router/elbv2 (both)
//	S10  creation is a cut-over       L: scripts created-…, crash sweep; router/elbv2, shift
//	S11  unread pages                 L, mutant; router/elbv2
//	S12  somebody else's rule         L; engine, router/elbv2 (preflight)
//	S13  expired credentials          L; engine, awsconf
//	S14  interrupts, kill -9          L, crash sweeps, scripts interrupted…; engine
//	S15  throttling, unknown outcome  L, fault sweeps; engine, router/elbv2, awsconf
//	S16  limits found late            L; router/elbv2 (preflight), manifest
//	S17  the wrong rule               L; router/elbv2
//	S18  a write is not verified      L, mutant
//	S19  two writers                  L, mutant, scripts drift-…; engine, shift
//	S20  a weight left out            mutant; router/elbv2
//	S21  sticky clients stay          L (with S9); router/elbv2 (notes)
//	S23  all weights zero             mutant; router/elbv2, shift
package lawtest
