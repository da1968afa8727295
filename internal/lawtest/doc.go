// Package lawtest judges whole shifts by what went over the wire. A recording proxy
// between the real AWS SDK and the simulated AWS keeps every exchange; Judge reads that
// trace and the declaration, knows nothing of what the engine thought, and says which
// law of a shift was broken. Mutants of the client, the router, the analyzer and the
// plan show that it does. Everything runs in virtual time, over net.Pipe. The package is
// imported by nothing but its own tests.
//
// The same suites run on several grounds (see Ground): an ALB's rule, an NLB's listener, a
// Route 53 name that is judged by health checks, and one with aliases of two ALBs whose
// metrics judge. There is one judge for all: a reader per protocol tells it, in the same
// words, what each exchange does.
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
//	S7   conditions with weights      L (ALB), mutant; router/elbv2
//	S8   order of conditions          L (ALB); router/elbv2
//	S9   the rest is lost             L (stickiness), mutants (stickiness, TTL, health check, alias); router/elbv2
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
//	S20  a weight left out            mutants; router/elbv2
//	S21  sticky clients stay          L (with S9); router/elbv2 (notes)
//	S22  NLB connections stay         L; router/elbv2 (notes), shift (drain)
//	S23  all weights zero             L, mutants; router/elbv2, shift
//	R1   the wrong record             L, mutant; router/route53
//	R2   an error counts as success   L, fault sweeps; router/route53
//	R3   a record is missing          L; router/route53
//	R4   one type only, too early     L, mutants (one type, INSYNC, TTL); router/route53, shift
//	R5   external-dns                 L; router/route53
package lawtest
