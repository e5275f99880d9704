"""Pages of jobs."""

from django.urls import path

from jobs.views import jobs

app_name = "jobs"
urlpatterns = [
    path("jobs/", jobs.JobListView.as_view(), name="list"),
    path("jobs/live", jobs.LiveJobsView.as_view(), name="live"),
    path("jobs/<uuid:uid>/progress", jobs.JobProgressView.as_view(), name="progress"),
    path("jobs/<uuid:uid>/cancel", jobs.cancel, name="cancel"),
    path("jobs/<uuid:uid>/retry", jobs.retry, name="retry"),
]
