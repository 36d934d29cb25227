-- Complaints: from a person, a carrier or an authority; each acts as a refusal and has a due date.
select 1;
