package helmfile

import "syscall"

// whenOrphaned is what a program is told when this process dies, so that it does not work
// on unseen. It is the thread that counts: the one that starts a program must stay.
func whenOrphaned(a *syscall.SysProcAttr) { a.Pdeathsig = syscall.SIGINT }
