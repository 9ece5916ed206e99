/**
 * millrace: flows into the Open vSwitch kernel datapath, in packed netlink transactions, with a true
 * account of every one. Linux only. `millrace/netlink` is the engine alone.
 */
export { Datapath } from "./datapath.ts";
export type {
  FlowsOptions,
  NamespaceOption,
  OpenOptions,
  OwnerOption,
} from "./datapath-options.ts";
export type { DatapathLoadOptions, SyncFlowSource } from "./datapath-load.ts";
export { validate, type ValidateOptions } from "./validate.ts";
export {
  type DatapathSyncOptions,
  diff,
  type Difference,
  readFlows,
  type ReadFlowsOptions,
  type WantedFlows,
} from "./flow-sets.ts";
export type { DiffOptions, FlowAspect } from "./state/diff.ts";
export type { FlowParts } from "./flow/parts.ts";
export type { NumberedPort } from "./flow/ports.ts";
export { FlowTable, type FlowTableOptions } from "./state/flow-table.ts";
export type { PlanOptions } from "./state/plan.ts";
export type { SyncOptions } from "./state/sync.ts";
export type { SyncConflict, SynchronizeOptions, SyncResult } from "./state/synchronize.ts";
export type { FlowSource } from "./flow-source.ts";
export { FlowFilter } from "./flow/filter/filter.ts";
export { Flow, type FlowParseOptions, type FlowTextOptions } from "./flow/flow.ts";
export type { FlowIdentity } from "./flow/parts.ts";
export {
  FlowTemplate,
  type HoleNames,
  type TemplateColumn,
  type TemplateColumns,
  TemplateFill,
  type TemplateOptions,
  type TemplateRow,
  type TemplateRows,
  type TemplateValue,
} from "./flow/template.ts";
export {
  type ActionJson,
  type FlowJson,
  FlowJsonError,
  flowJsonSchema,
  flowJsonToLine,
  type JsonScalar,
  type JsonValue,
  type KeyJson,
  lineToFlowJson,
} from "./flow/json.ts";
export { FlowSyntaxError } from "./flow/text/syntax-error.ts";
export { UserspaceOnlyError } from "./flow/userspace-only.ts";
export { UnreadableInputError } from "./format/source.ts";
export { FlowRefusedError, FlowRejectedError } from "./flow/rules/errors.ts";
export type { KernelFeatures } from "./flow/rules/features.ts";
export type { MissingFeature } from "./flow/rules/missing-feature.ts";
export { FlowInstaller, type FlowInstallerResult } from "./load/flow-installer.ts";
export type { WorkerCount } from "./load/file-feed.ts";
export type { LoadProgress } from "./load/load.ts";
export type { FlowException, OutcomeState } from "./load/outcome.ts";
export type { BatchLatency, LoadReport } from "./load/report.ts";
export { loadReportSchema } from "./load/report-schema.ts";
export { LoadResult } from "./load/result.ts";
export { DEFAULT_BATCHING, type Batching } from "./load/send/batching.ts";
export type { SenderCount } from "./load/send/sender-trial.ts";
export { type ExtendedAck, NetlinkError } from "./netlink/errors.ts";
export type { NetlinkKernel } from "./netlink/kernel.ts";
export { MulticastListener, type Overrun } from "./netlink/multicast.ts";
export { EventStream } from "./netlink/stream.ts";
export type { AckMode, Transport } from "./netlink/transactor.ts";
export type { CtLimit, CtLimitInfo, CtZone } from "./ovs/ct-limit.ts";
export type { DatapathFeature, DatapathInfo, DatapathOptions } from "./ovs/datapath.ts";
export type { ChangeEvent, ChangeKind, ChangeOptions, ChangeVerb } from "./ovs/events.ts";
export type { ProbeOptions } from "./ovs/features.ts";
export type { FlowVerb } from "./ovs/flow-request.ts";
export type {
  MeterBand,
  MeterCounters,
  MeterFeatures,
  MeterInfo,
  MeterOptions,
} from "./ovs/meter.ts";
export type { DumpDoubt } from "./ovs/dump-check.ts";
export { type PacketToExecute, Upcall, type UpcallReason } from "./ovs/packet.ts";
export type { TunnelOptions } from "./ovs/tunnel.ts";
export type { PortOptions } from "./ovs/vport.ts";
export {
  type UpcallDispatch,
  type UpcallEvent,
  type UpcallLoss,
  type UpcallOptions,
  Upcalls,
  type UpcallVisitor,
} from "./ovs/upcalls.ts";
export type { PortInfo, PortStats, PortType } from "./ovs/vport.ts";
export type { FlowCounters, FlowName } from "./one-flow.ts";
export type { RemovedFlows, RemoveOptions } from "./remove-where.ts";
export { monotonicMs } from "./sys/clock.ts";
export { MillraceError, NotSupportedError, SystemCallError } from "./sys/errors.ts";
export { type NamespaceReference, NetworkNamespace } from "./sys/netns.ts";
export type { WaitOptions } from "./sys/readiness.ts";
export { ERROR_CODES, type ErrorCode, type MillraceErrorCode } from "./sys/error-codes.ts";
