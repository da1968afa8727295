// Package sqs simulates Amazon SQS: standard queues with long polls, visibility timeouts
// and receipt handles, in awsJson1.0. Messages are received in the order in which they
// were sent, unlike AWS; as there, any can come again.
package sqs
