"""Options of `throughtime train`: how weights start, change, and are held back."""

from throughtime.cli.option_types import Named, Table, Winners, setting
from throughtime.cli.panels import option, table

STARTING = [
    option(
        "Network",
        "--zoneout",
        type=Table("chances", float),
        metavar="P|STATE=P,…",
        help="Chance that a unit of a state, or of all, keeps its last value.",
    ),
    option(
        "Network",
        "--drop-connect",
        type=float,
        default=0.0,
        show_default=True,
        metavar="P",
        help="Chance that a recurrent weight is zeroed for a whole batch.",
    ),
    option(
        "Network",
        "--variational-dropout",
        type=Table("chances", float),
        metavar="P|input=P,hidden=P",
        help="Chance that a unit is zeroed at all steps of a sequence: of what the "
        "cell reads, and of its state in recurrent connections.",
    ),
    option(
        "Network",
        "--k-winners",
        type=Winners(),
        metavar="K|SHARE",
        help="Keep the K largest units of each layer's output, or a share of them "
        "below 1; the others are 0.",
    ),
    option(
        "Network",
        "--activity-l1",
        type=float,
        metavar="λ",
        help="Add λ times the mean of Σ|h| over all units of all layers to the loss of "
        "training, so that more of them are 0.",
    ),
    option(
        "Network",
        "--flow-penalty",
        type=float,
        metavar="λ",
        help="Add λ times (growth − 1)² of the error that flows back through each step "
        "to what training makes small, so that it neither vanishes nor explodes; with "
        "--clip, begin near 0.5.",
    ),
    option(
        "Network",
        "--init",
        default="default",
        show_default=True,
        metavar="default|orthogonal|identity|chrono",
        help="How recurrent weights start: as the cell declares; orthogonal; as the "
        "identity with biases of 0 and small weights of the input; or gates so that "
        "memories last up to many steps.",
    ),
    option(
        "Network",
        "--forget-bias",
        type=float,
        metavar="B",
        help="The bias of the gate that forgets at the start; larger forgets less.",
    ),
    option(
        "Network",
        "--chrono-steps",
        type=int,
        metavar="STEPS",
        help="The longest memory of chrono; by default the longest stretch of steps "
        "that error flows through.",
    ),
    option(
        "Network",
        "--flossing",
        type=int,
        metavar="UPDATES",
        help="Before the first epoch, push the Lyapunov exponents of every layer "
        "towards 0, so that gradients neither vanish nor explode.",
    ),
    option(
        "Network",
        "--flossing-every",
        type=int,
        metavar="EPOCHS",
        help="Do so again before the first of every so many epochs.",
    ),
]
DESCENT = [
    option(
        "Learning",
        "--optimizer",
        default="adam",
        show_default=True,
        metavar="adam|sgd|NAME",
        help="What uses the gradient: any of torch.optim that takes dense gradients, "
        "or lazy-sgd, lazy-fobos, lazy-adagrad, ftrl-proximal, which have --l1 and "
        "--l2.",
    ),
    option(
        "Learning",
        "--l1",
        type=float,
        help="Penalty of the size of the weights that read the input: a feature that "
        "says nothing loses them all.",
    ),
    option(
        "Learning",
        "--l2",
        type=float,
        help="Half a penalty of their squares.",
    ),
    option(
        "Learning",
        "--weight-decay",
        type=float,
        help="Of matrices; biases and other vectors never decay. By default the "
        "optimiser's own.",
    ),
    option(
        "Learning",
        "--momentum",
        type=float,
        help="Of an optimiser that has it. By default its own.",
    ),
    option(
        "Learning",
        "--optimizer-option",
        "optimizer_options",
        multiple=True,
        type=Named("VALUE", setting),
        callback=table,
        metavar="NAME=VALUE",
        help="A further argument of the optimiser, such as betas=0.9,0.99; may be "
        "given several times.",
    ),
    option(
        "Learning",
        "--schedule",
        metavar="cosine|constant|linear|exponential|step|onecycle|plateau|NAME",
        help="How the step width changes: cosine and linear fall to 0 over the epochs, "
        "onecycle rises first; exponential, step and plateau multiply it. Or any of "
        "torch.optim.lr_scheduler that takes numbers. By default cosine; constant for "
        "lazy-adagrad and ftrl-proximal.",
    ),
    option(
        "Learning",
        "--schedule-option",
        "schedule_options",
        multiple=True,
        type=Named("VALUE", setting),
        callback=table,
        metavar="NAME=VALUE",
        help="An argument of a schedule of torch, such as milestones=5,8; may be "
        "given several times.",
    ),
    option(
        "Learning",
        "--schedule-factor",
        type=float,
        help="What exponential (by default 0.9), step and plateau (0.5) multiply by.",
    ),
    option(
        "Learning",
        "--schedule-epochs",
        type=int,
        help="Epochs between two steps (by default 5), or without a better validation "
        "loss before plateau multiplies (2).",
    ),
    option(
        "Learning",
        "--warmup",
        type=int,
        default=0,
        show_default=True,
        metavar="UPDATES",
        help="Updates over which the step width rises to the first one.",
    ),
    option(
        "Learning",
        "--clip",
        type=float,
        default=1.0,
        show_default=True,
        help="Norm of the gradient at most; 0 for no limit.",
    ),
    option(
        "Learning",
        "--clip-value",
        type=float,
        default=0.0,
        show_default=True,
        help="Magnitude of each number of the gradient at most; 0 for no limit.",
    ),
    option(
        "Learning",
        "--accumulate",
        type=int,
        default=1,
        show_default=True,
        metavar="BATCHES",
        help="Batches of an update, whose gradient is that of all their answers.",
    ),
    option(
        "Learning",
        "--average",
        metavar="ema|swa",
        help="Validate and keep a mean of the weights: over updates, or over epochs.",
    ),
    option(
        "Learning",
        "--ema-decay",
        type=float,
        help="What of the mean an update leaves. By default 0.99.",
    ),
    option(
        "Learning",
        "--swa-start",
        type=float,
        metavar="SHARE",
        help="The share of the epochs before swa begins. By default 0.75.",
    ),
]
