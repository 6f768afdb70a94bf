// Weft runs work just as parallel as it pays. It is the command line of
// package weft.
//
//	weft map [flags] -- COMMAND [ARG]... [::: ITEM...]
//
// runs COMMAND once for each item, where one would use xargs -P or GNU
// parallel. How many jobs run at once is decided by the same planner as in the
// library: it starts with one for each CPU, looks at the CPU time and memory
// that the commands take, and goes on to more where they mostly wait.
//
// # Items
//
// Items are the lines of stdin (without empty ones; a \r before the line end
// and a byte order mark are dropped), or
//
//	::: ITEM...        the arguments after it
//	--glob PATTERN     files, sorted; ** is any number of directories
//	--csv FILE         rows, - for stdin; --delimiter, --no-header
//	-0, --null         NUL-separated records of stdin, as they are
//
// A CSV file is checked to its end before anything runs. What comes from stdin
// is run as it arrives.
//
// # Placeholders
//
//	{}    the item                       dir/a.tar.gz
//	{.}   without its extension          dir/a.tar
//	{/}   its last path element          a.tar.gz
//	{//}  the directories before that    dir
//	{/.}  last element, no extension     a.tar
//	{+.}  its extension                  gz
//	{#}   the job's number, from 1
//
// With --csv, {name} is the column of that name and {2} the second column, and
// {name.}, {name/}, {name//}, {name/.} and {name+.} are those forms of it; {}
// is the whole row. A command without a placeholder gets the item as its last
// argument. Braces around anything else are left as they are. To pass a
// placeholder on, double its braces: {{}} is a literal {}, and {{{}}} is the
// item in braces.
//
// No shell comes between the arguments and the command. With --shell COMMAND
// is one string for sh -c. Each item is then quoted for the place where it
// stands: outside quotes, between single or between double quotes. Where no
// quoting is safe (here-documents, backquotes, ${...}, ((...)), $'...',
// comments, after a backslash) weft refuses; assign the item to a variable
// first. ${name} is the shell's own and no placeholder.
//
// # Jobs
//
//	-j, --jobs N       jobs at once; 1 one after the other, -1 one for each
//	                   CPU, -2 all CPUs but one; 0, the default, automatic
//	--timeout TIME     end a job that takes longer
//	--rate N           start at most N a second, N/m a minute, N/h an hour
//	--mem SIZE         memory for the run, by the peak of a job
//	--retries N        up to N further attempts, waiting longer each time
//	--halt WHEN        after the first failure: soon (start no more, wait for
//	                   the running ones; the default), now (end those too),
//	                   never (go on); --keep-going is --halt never
//
// A job's stdin is empty. Its environment has WEFT_JOB, its number. A job is
// over when its command exits. What the command leaves in its process group
// has one second to end by itself, then it gets SIGTERM, and two seconds later
// SIGKILL. So does the whole group of a job that has timed out.
//
// Each job is a process group. The first Ctrl-C starts no more jobs and waits
// for those that run, the second ends them, the third kills them at once.
// SIGTERM and SIGHUP do what the second Ctrl-C does; Ctrl-Z stops the jobs too.
// When all jobs are ended weft waits one second at most for a reader of its output.
// If weft itself dies, by kill -9 say, nothing of its jobs remains: a guard
// process, which holds the other end of a pipe, kills their groups, and on
// Linux every process with the run's mark in its environment (WEFT_RUN), which
// those that changed their session have, too. On Windows only the commands
// themselves are ended.
//
// # Output
//
// The output of each job is printed when it is over, first its stdout, then
// its stderr, in the order of the items or, with --unordered, of their ends.
// Of several attempts it is the last one's. Until then up to 256 KiB a job and
// 64 MiB in all are kept in memory, the rest in files without a name in TMPDIR.
//
//	--json             an object a job and a summary
//	--explain          the plan and what came of it, on stderr
//	-n, --dry-run      the commands as they would be typed; nothing runs
//	--progress         a bar on a terminal (the default there), else lines
//
// Colours and the bar are for terminals; NO_COLOR and TERM=dumb are respected.
//
// The objects of --json have the fields of the joblog below, and
//
//	type      "job"
//	command   the command, a list
//	stdout    and stderr: the output; stdout_base64 or stderr_base64 instead
//	          if it is no UTF-8
//
// The last has type "summary", the counts succeeded, failed, skipped (by
// --resume) and not_started (-1: not known, as not all items were read), exit
// (weft's exit code), wall_ns, and with --explain the report.
//
// # Joblog
//
// With --joblog FILE each job that is over, its output written, is recorded as
// a line of JSON, by one write. The first line describes the run:
//
//	weft_joblog   the version of the format, 1
//	command       the command with its placeholders, a list
//	shell         true with --shell
//	digest        SHA-256 of both
//	started       when the run began
//
// The others are jobs:
//
//	index          the item's place in the input, from 0
//	item           its text, of a CSV the row
//	digest         SHA-256 of its exact bytes
//	exit           the exit code, -1 if there is none
//	signal         the signal that ended the command
//	error          a timeout, a start that failed, an end from outside
//	start          when the last attempt began
//	wall_ns        how long it took; cpu_ns is its CPU time
//	max_rss_bytes  the most memory that one process of it held; not less than
//	               what weft holds itself, which the system counts until the
//	               command is loaded
//	attempts       how many it took
//
// A joblog is never overwritten. With --resume weft skips the items that have
// succeeded, if index and digest are the same, and adds to the file. It
// refuses the joblog of another command, and drops a last line that is torn.
// When all items are read it says how many of those that are done are not
// among them.
//
// # Exit codes
//
//	0    all jobs succeeded, or there were none
//	1    at least one job failed
//	2    wrong flags or bad input
//	3    the joblog, the output or a temporary file could not be written, or
//	     the guard not be started
//	126  COMMAND can not be executed
//	127  COMMAND was not found
//	129  ended by SIGHUP
//	130  ended by Ctrl-C
//	141  nobody reads stdout any more
//	143  ended by SIGTERM
package main
