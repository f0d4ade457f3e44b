// Package servertest is what the tests of a running server share: a client that
// puts any bytes on the wire and reads frames strictly ([Conn]), the one way to
// wait for a condition ([Await]), and the check that nothing is left behind
// ([CheckLeaks]). A client that resumes its chat is in the package talker.
//
// It builds and reads frames on its own, so that a mistake of the packages
// under test is not shared by their tests.
package servertest
