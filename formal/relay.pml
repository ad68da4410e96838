/*
 * A node behind a relay: one control plane, one relay, one node that follows it, one revoke. README.md maps the
 * lines to the code and says what is left out. How a node follows the control plane is in lease.pml; here that is
 * as small as it can be, and what a relay does with its lease is added.
 *
 * Each `::` of a process below is one atomic step, taken at any moment at which its condition holds, or never. No
 * instant is kept, only what is left of a time or how long ago it was, up to where that no longer matters: so there
 * are few states, and time goes on without end.
 *
 * -DMISTAKE=n makes a mistake of README.md; -DDENY=n denies that a case is ever reached, which must fail.
 */

#ifndef MISTAKE
#define MISTAKE 0
#endif
#ifndef DENY
#define DENY 0
#endif

#ifndef LEASE
#define LEASE 2		/* L, in ticks */
#endif
#define LOSS 1		/* what a clock may lose in one lease against that of whom it follows: epsilon * L */
#define BOUND (LEASE + LOSS)
/* A node behind one relay may decide for one margin less: one clock more may lose time. */
#define BEHIND (MISTAKE == 4 -> LEASE : LEASE - LOSS)
#define NEVER 15

#define NOTHING 0	/* no revoke yet */
#define COMMITTED 1	/* the revoke is in the log, the lease rows are not read */
#define PENDING 2	/* they are read, and the receipt waits for them */
#define COMPLETE 3	/* the receipt is returned */

/* ---- the control plane ---- */

byte receipt = NOTHING;
#define HEAD (receipt != NOTHING)	/* whether the revoke is in the log */

typedef Row {			/* of each of the relay's incarnations */
	bool is_there;
	byte left;		/* until L(1 + epsilon) after it was granted; 0: that has passed */
	bool confirmed;		/* the revoke, for the relay and for all that follow it */
	byte awaited		/* what is left of that which was left when the rows were read */
}
Row row[2];
bool retires;			/* incarnation 1 goes on with the replica of incarnation 0, in the same boot */
#define SETTLED(r) (row[r].confirmed || row[r].awaited == 0)

/* ---- the relay, its poll, and the answer; a newer poll pushes out both ---- */

byte incarnation;
bool has_revoke;		/* applied */
byte left;			/* of its lease, by its clock */
byte poll_age = NEVER;		/* of the poll that is waited for */
byte since_loss = LEASE;
bool is_sent, sent_confirms;
byte sent_by;
bool is_answered, answer_has;

/* ---- its child, likewise ---- */

bool child_has;
byte child_left;
byte child_poll_age = NEVER;
byte child_since_loss = LEASE;
bool is_asked, asked_applied;
bool is_heard;			/* the relay has heard the poll, and holds it */
byte arrived_ago;		/* by the relay's clock */
bool head_early;		/* mistake 5: what the relay had then */
bool is_told, told_has, told_lease;
byte told_age;

/* What the relay knows of its child. */
byte lent;			/* what is left of what it has lent, by its clock */
bool child_confirms;

#define CONFIRMS (has_revoke && (child_confirms || lent == 0 || MISTAKE == 1))
#define RELAY_ACCEPTS (!has_revoke && left > 0)
#define CHILD_ACCEPTS (!child_has && child_left > 0)

/* P1: nobody accepts when the receipt is complete. What a verification decides later, it decides by a later clock:
 * so it is enough that no state accepts. */
inline judge()
{
	assert(!(receipt == COMPLETE && (RELAY_ACCEPTS || CHILD_ACCEPTS)));
	assert(!(DENY == 1 && receipt == NOTHING && CHILD_ACCEPTS));
	assert(!(DENY == 2 && receipt == PENDING && CHILD_ACCEPTS && has_revoke))
}

#define FALL(x) x = (x > 0 -> x - 1 : 0)
#define RISE(x) x = (x < LEASE -> x + 1 : x)	/* NEVER stays */

inline tick_plane()
{
	FALL(row[0].left); FALL(row[0].awaited); FALL(row[1].left); FALL(row[1].awaited)
}

inline tick_relay()
{
	RISE(since_loss); FALL(left); FALL(lent); RISE(poll_age); RISE(arrived_ago)
}

inline tick_child()
{
	RISE(child_since_loss); FALL(child_left); RISE(child_poll_age)
}

proctype Time()
{
end:	do
	:: d_step { true -> tick_plane(); tick_relay(); tick_child(); printf("tick\n"); judge() }
	:: d_step { child_since_loss >= LEASE ->
		tick_plane(); tick_relay(); child_since_loss = 0; printf("tick, which the child's clock loses\n"); judge()
	   }
	:: d_step { since_loss >= LEASE && child_since_loss >= LEASE ->
		tick_plane(); since_loss = 0; child_since_loss = 0; printf("tick, which both clocks lose\n"); judge()
	   }
	/* The relay's clock loses it; the child's does not. */
	:: d_step { since_loss >= LEASE ->
		tick_plane(); since_loss = 0; tick_child(); printf("tick, which the relay's clock loses\n"); judge()
	   }
	od
}

#define SUPERSEDED (sent_by == 0 && row[1].is_there)

proctype Plane()
{
end:	do
	/* Recorded and committed, then the head is read. */
	:: d_step { is_sent && !SUPERSEDED ->
		row[sent_by].is_there = true;
		if		/* later grants bring the change: they are not watched */
		:: receipt == NOTHING || receipt == COMMITTED -> row[sent_by].left = BOUND
		:: else
		fi;
		if
		:: receipt != COMPLETE ->
			row[sent_by].confirmed = sent_confirms;
			if
			:: sent_by == 1 && retires -> row[0].confirmed = sent_confirms
			:: else
			fi
		:: else
		fi;
		is_answered = (sent_by == incarnation);
		answer_has = is_answered && HEAD;
		is_sent = false;
		printf("recorded: incarnation %d, confirms %d; answered: the revoke %d\n", sent_by, sent_confirms, answer_has)
	   }
	:: d_step { receipt == NOTHING -> receipt = COMMITTED; printf("the revoke is committed\n") }
	:: d_step { receipt == COMMITTED ->
		receipt = PENDING;
		row[0].awaited = row[0].left; row[0].left = 0;
		row[1].awaited = row[1].left; row[1].left = 0;
		printf("the lease rows are read\n");
		judge()
	   }
	:: d_step { receipt == PENDING && SETTLED(0) && SETTLED(1) ->
		assert(!(DENY == 3 && row[0].awaited > 0 && child_has));
		assert(!(DENY == 4 && row[0].awaited > 0 && !child_has));
		assert(!(DENY == 5 && row[0].is_there && !row[0].confirmed));
		receipt = COMPLETE;
		row[0].confirmed = false; row[0].awaited = 0; row[1].confirmed = false; row[1].awaited = 0;
		printf("the receipt is complete\n");
		judge()
	   }
	od
}

inline start()
{
	incarnation = 1;
	poll_age = NEVER; is_answered = false; answer_has = false;
	is_asked = false; asked_applied = false; is_heard = false; arrived_ago = 0; head_early = false;
	child_confirms = false
}

proctype Relay()
{
end:	do
	/* It polls; also to say what its child has confirmed, while another poll is held. */
	:: d_step { true ->
		poll_age = 0; is_answered = false; answer_has = false;
		is_sent = true; sent_by = incarnation; sent_confirms = CONFIRMS;
		printf("the relay polls: confirms %d\n", sent_confirms)
	   }
	/* Changes, position and lease in one transaction; the lease counts from the sending. */
	:: d_step { is_answered && poll_age != NEVER ->
		has_revoke = has_revoke || answer_has;
		left = LEASE - poll_age;
		poll_age = NEVER; is_answered = false; answer_has = false;
		printf("the relay applies the answer: the revoke %d\n", has_revoke);
		judge()
	   }
	/* It hears a poll of its child. */
	:: d_step { is_asked && !is_heard ->
		is_heard = true; arrived_ago = 0;
		child_confirms = asked_applied;
		head_early = (MISTAKE == 5 && has_revoke);
		printf("the relay hears its child: applied %d\n", asked_applied)
	   }
	/* One snapshot: what it has, and what it lends; noted before it is sent. */
	:: d_step { is_heard ->
		is_told = (child_poll_age != NEVER);
		told_has = is_told && (MISTAKE == 5 -> head_early : has_revoke);
		told_lease = is_told && left > 0;
		told_age = (told_lease && LEASE - left > arrived_ago && MISTAKE != 2 -> LEASE - left - arrived_ago : 0);
		lent = (left > lent && MISTAKE != 6 -> left : lent);
		is_asked = false; asked_applied = false; is_heard = false; arrived_ago = 0; head_early = false;
		printf("the child is answered: the revoke %d, lease %d, age %d\n", told_has, told_lease, told_age)
	   }
	/* Its follower starts again in the same boot. What the one before has lent ends with a lease of its own. */
	:: d_step { incarnation == 0 ->
		start();
		retires = true;
		lent = (MISTAKE == 3 || lent == 0 -> 0 : LEASE);
		printf("the relay starts again\n")
	   }
	/* Its host crashes: another boot, which retires nobody. */
	:: d_step { incarnation == 0 ->
		start();
		retires = (MISTAKE == 7);
		left = 0; lent = 0; since_loss = LEASE;
		printf("the relay's host crashes\n")
	   }
	od
}

proctype Child()
{
end:	do
	:: d_step { true ->
		child_poll_age = 0; is_told = false; told_has = false; told_lease = false; told_age = 0;
		is_asked = true; asked_applied = child_has;
		is_heard = false; arrived_ago = 0; head_early = false;
		printf("the child polls: applied %d\n", asked_applied)
	   }
	:: d_step { is_told ->
		child_has = child_has || told_has;
		if
		:: told_lease ->
			child_left = (child_poll_age + told_age < BEHIND -> BEHIND - child_poll_age - told_age : 0)
		:: else
		fi;
		child_poll_age = NEVER; is_told = false; told_has = false; told_lease = false; told_age = 0;
		printf("the child applies the answer: the revoke %d, lease left %d\n", child_has, child_left);
		judge()
	   }
	od
}

init { atomic { run Time(); run Plane(); run Relay(); run Child() } }
