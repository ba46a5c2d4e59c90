// Which view stands at which address, and who is let in.
import { useEffect } from "preact/hooks";
import { ErrorBoundary, lazy, LocationProvider, Route, Router, useLocation } from "preact-iso";

import { loadSession, session, userName } from "./api/session";
import { deliver } from "./label/post";
import { useCell } from "./lib/cell";
import { startLive } from "./live/stream";
import { Bones } from "./ui/parts";
import { Shell } from "./ui/Shell";
import { toastError } from "./ui/toasts";
import { Home } from "./views/Home";
import { Login } from "./views/Login";
import { Lost } from "./views/Lost";

const Job = lazy(() => import("./views/Job").then((file) => file.Job));
const Label = lazy(() => import("./views/Label").then((file) => file.Label));
const Samples = lazy(() => import("./views/Samples").then((file) => file.Samples));
const Sample = lazy(() => import("./views/Sample").then((file) => file.Sample));
const Review = lazy(() => import("./views/Review").then((file) => file.Review));
const Models = lazy(() => import("./views/Models").then((file) => file.Models));
const Datasets = lazy(() => import("./views/Datasets").then((file) => file.Datasets));
const Edges = lazy(() => import("./views/Edges").then((file) => file.Edges));
const People = lazy(() => import("./views/People").then((file) => file.People));

const RETRY_MS = 3000;
const JOB = "/ui/jobs/:namespace/:name";

export function App() {
  return (
    <LocationProvider scope="/ui">
      <Shell>
        <ErrorBoundary onError={toastError}>
          <Inside />
        </ErrorBoundary>
      </Shell>
    </LocationProvider>
  );
}

function Inside() {
  const state = useCell(session);
  const { kind } = state;
  const user = userName(state);
  const { path } = useLocation();
  const atDoor = path.endsWith("/login");
  const inside = kind === "in" || kind === "ended";
  useEffect(() => {
    // A one-time link is tried by the sign-in view; nobody needs to be asked before it.
    if (location.hash !== "" && atDoor) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const ask = () =>
      void loadSession().catch((error: unknown) => {
        toastError(error);
        timer = setTimeout(ask, RETRY_MS); // the service starts, or the network comes back
      });
    ask();
    return () => clearTimeout(timer);
  }, []);
  useEffect(() => (kind === "in" ? startLive() : undefined), [kind]);
  useEffect(() => (kind === "in" ? deliver(user) : undefined), [kind, user]);
  if (atDoor || kind === "none") return <Login />;
  if (!inside) return <main id="main" class="page"><Bones /></main>;
  return (
    <Router>
      <Route path="/ui/" component={Home} />
      <Route path="/ui/edges" component={Edges} />
      <Route path="/ui/people" component={People} />
      <Route path={JOB} component={Job} />
      <Route path={`${JOB}/label`} component={Label} />
      <Route path={`${JOB}/samples`} component={Samples} />
      <Route path={`${JOB}/samples/:sample`} component={Sample} />
      <Route path={`${JOB}/review`} component={Review} />
      <Route path={`${JOB}/models`} component={Models} />
      <Route path={`${JOB}/datasets`} component={Datasets} />
      <Route default component={Lost} />
    </Router>
  );
}
